/** The event stream's messages out of its text, however the network has cut it (pure; HTML standard, 9.2.6). */

export interface Message {
  readonly name: string;
  readonly data: string;
}

export class MessageReader {
  #rest = '';
  #name = 'message';
  #data: string[] = [];

  /** Those that this text completes. */
  take(text: string): readonly Message[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    const messages: Message[] = [];
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (this.#data.length > 0) messages.push({ name: this.#name, data: this.#data.join('\n') });
        this.#name = 'message';
        this.#data = [];
      } else if (!line.startsWith(':')) this.#field(line);
    }
    return messages;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
  }
}
