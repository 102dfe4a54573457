/** What a request may cost before it is read: its shape is looked at byte by byte, so that no JSON eats the agent's memory (pure). */

/** A delta of sets is the deepest: request, sets, set, list. */
const deepest = 5;
/** 64 sets of an object and two lists each. */
const mostContainers = 256;
/** Addresses of a request, with room for its other values: the longest message holds no more of IPv6. */
const mostValues = 400_000;

/**
 * Why this text is no request, whatever it says; undefined where it may be parsed. V8 needs some 40 bytes for each `[` of two:
 * a message of the permitted length that has nothing else would take most of a gigabyte.
 */
export function tooCostly(text: string): string | undefined {
  let depth = 0;
  let containers = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        at = endOfString(text, at);
        if (at === -1) return 'it ends inside a text';
        break;
      }
      case 0x5b:
      case 0x7b:
        depth += 1;
        containers += 1;
        if (depth > deepest) return `it is nested deeper than ${deepest}`;
        if (containers > mostContainers) return `it has more than ${mostContainers} lists and objects`;
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
      case 0x2c:
        values += 1;
        if (values > mostValues) return `it has more than ${mostValues} values`;
    }
  }
  return undefined;
}

/** Where the text that begins at `start` has its closing quote; -1 where it has none. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}
