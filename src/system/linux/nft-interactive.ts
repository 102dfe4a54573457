/** nftables through a kept-open `nft -i` child: one line is one transaction, and an invalid word marks the end of its reply. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { NftError, nftErrorFrom } from '../nft-error.ts';
import type { NftScript } from '../nft-script.ts';
import type { Nft } from '../ports.ts';
import { listsTables, parseListing, tablesOfText } from './nft-listing.ts';
import { portIdAmong, socketInodes } from './nft-port-id.ts';

// PATH: an ordinary user's has no sbin. HOME: nft -i writes a history file. LC_ALL: messages are told apart by their English text.
export const nftEnvironment = {
  PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
  HOME: '/nonexistent',
  LC_ALL: 'C',
};

interface Pending {
  readonly mark: string;
  readonly resolve: (complaint: string) => void;
  readonly reject: (error: Error) => void;
}

/** The netlink socket, and what it owns, lives as long as the child; when the child dies, the next call starts another. */
export class InteractiveNft implements Nft {
  readonly kind = 'nft -i';
  readonly #command: string;
  readonly #args: readonly string[];
  #child: ChildProcessWithoutNullStreams | undefined;
  #pending: Pending[] = [];
  #complaints = '';
  #count = 0;
  #portId: number | undefined;
  #closed = false;
  readonly #lostListeners: (() => void)[] = [];

  private constructor(command: string, args: readonly string[]) {
    this.#command = command;
    this.#args = args;
  }

  static async open(command = 'nft', args: readonly string[] = ['-i']): Promise<InteractiveNft> {
    const nft = new InteractiveNft(command, args);
    const child = nft.#start();
    await once(child, 'spawn');
    return nft;
  }

  /** Of the child, so another one after a restart. */
  get portId(): number | undefined {
    const pid = this.#child?.pid;
    if (pid === undefined) return undefined;
    this.#portId ??= portIdAmong(pid, socketInodes(pid).keys());
    return this.#portId;
  }

  /** Of the child that runs now: tests end it to see what happens. */
  get childPid(): number | undefined {
    return this.#child?.pid;
  }

  async apply(script: NftScript): Promise<void> {
    if (script.empty) return;
    const complaint = await this.#send(script.line);
    if (complaint !== '') throw nftErrorFrom(complaint);
  }

  /** By another process: what this one's socket owns is refused to it. */
  async check(script: NftScript): Promise<void> {
    const checker = await InteractiveNft.open(this.#command, ['--check', '-i']);
    try {
      await checker.apply(script);
    } finally {
      await checker.close();
    }
  }

  async list(script: NftScript): Promise<readonly unknown[]> {
    if (listsTables(script)) return tablesOfText(await runNft(this.#command, [script.line]));
    return parseListing(await runNft(this.#command, ['--json', script.line]));
  }

  onLost(listener: () => void): void {
    this.#lostListeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'close');
    child.stdin.end();
    await ended;
  }

  #send(line: string): Promise<string> {
    if (this.#closed) return Promise.reject(new NftError('died', 'the nft child is closed'));
    const child = this.#child ?? this.#start();
    return new Promise((resolve, reject) => {
      this.#count += 1;
      const mark = `end-of-reply-${this.#count}`;
      this.#pending.push({ mark, resolve, reject });
      child.stdin.write(`${line}\n${mark}\n`);
    });
  }

  #start(): ChildProcessWithoutNullStreams {
    // A session of its own: Ctrl-C on a terminal must not end it before its parent has decided what stays.
    const child = spawn(this.#command, this.#args, { stdio: 'pipe', env: nftEnvironment, cwd: '/', detached: true });
    this.#child = child;
    this.#portId = undefined;
    this.#complaints = '';
    child.stdout.resume();
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      this.#complaints += text;
      this.#settle();
    });
    // EPIPE, when the child is gone: 'close' tells the callers.
    child.stdin.on('error', () => {});
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    child.on('close', (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      const pending = this.#pending;
      this.#pending = [];
      const rest = this.#complaints.trim();
      const how = failure?.message ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
      const error =
        rest === ''
          ? new NftError('died', `the nft -i child ended (${how})`)
          : new NftError('died', `the nft -i child ended (${how}): ${nftErrorFrom(rest).message}`);
      for (const waiting of pending) waiting.reject(error);
      if (!this.#closed) for (const listener of this.#lostListeners) listener();
    });
    return child;
  }

  /** nft answers the mark with three lines: "Error: syntax error, …", the mark itself, and a caret below it. */
  #settle(): void {
    for (;;) {
      const next = this.#pending[0];
      if (next === undefined) return;
      const markAt = this.#complaints.indexOf(`\n${next.mark}\n`);
      if (markAt === -1) return;
      const caretEnd = this.#complaints.indexOf('\n', markAt + next.mark.length + 2);
      if (caretEnd === -1) return;
      const before = this.#complaints.slice(0, markAt);
      this.#complaints = this.#complaints.slice(caretEnd + 1);
      this.#pending.shift();
      next.resolve(before.slice(0, Math.max(0, before.lastIndexOf('\n'))).trim());
    }
  }
}

/** Runs nft once; gives its output, rejects with NftError. */
function runNft(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: nftEnvironment, cwd: '/' });
    const output: Buffer[] = [];
    const complaint: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => output.push(part));
    child.stderr.on('data', (part: Buffer) => complaint.push(part));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString('utf8'));
      else reject(nftErrorFrom(Buffer.concat(complaint).toString('utf8')));
    });
  });
}
