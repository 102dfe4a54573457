/** SIGKILL at any moment, beside an editor and a second server on the same zone: no accepted update and no foreign byte is lost. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { encodePacket } from '../../src/dyndns/packet.ts';
import { fileCalls } from '../../src/system/linux/file-calls.ts';
import {
  answered,
  authority,
  key,
  lackingForSite,
  name,
  now,
  onSite,
  port,
  second,
  send,
  until,
} from './dyndns-site.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

/*
 * NETSTEWARD_CRASH_EDITOR=polite: an editor that takes the original's lock. By default it takes none, as most do.
 *
 * More rounds than a test run has time for, without the limit of repeatInNamespace():
 *   NETSTEWARD_CRASH_ROUNDS=500 NETSTEWARD_TEST_NAMESPACE=inside unshare -Urnm --map-root-user --kill-child \
 *     sh -c 'ip link set lo up && exec node --test-force-exit BUILD/test/kernel/dyndns-crash.test.js'
 */
const polite = process.env.NETSTEWARD_CRASH_EDITOR === 'polite';
const rounds = Number(process.env.NETSTEWARD_CRASH_ROUNDS ?? 20);

const other = 'other.example.org';
const otherPort = 5534;
const zone = [
  '# edit 0',
  authority.trim(),
  `# dynamic: 0 ${key.verify.text} # \xe4 note`,
  `+${name}:127.0.0.5:300`,
  '=fixed.example.org:127.0.0.5:300',
  '',
  `# dynamic: 0 ${second.verify.text}`,
  `+${other}:127.0.0.5:300`,
  '# a note \xff',
  ...Array.from({ length: 500 }, (_, index) => `+filler${index}.example.org:192.0.2.9`),
  '+last.example.org:192.0.2.9',
].join('\n');

/** All but what netsteward owns, and the editor's number. */
function masked(text: string): string {
  return text
    .replace(/^# edit \d+$/m, '# edit')
    .replace(/^# dynamic: \d+(?:\.\d+)? /gm, '# dynamic: ')
    .replace(/^(\+(?:home|other)\.example\.org:)[\d.]+:/gm, '$1:');
}

const read = (path: string): string => readFileSync(path, 'latin1');
const addressIn = (text: string, host: string): string =>
  new RegExp(`^\\+${host}:([\\d.]+):`, 'm').exec(text)?.[1] ?? '';

/** In one step, or under a lock as the original takes it; the copy may be an old one all the same. */
function save(path: string, text: string): void {
  writeFileSync(`${path}.editor`, text, 'latin1');
  if (polite) while (!savedUnderLock(path));
  else renameSync(`${path}.editor`, path);
}

/** Whether it had the lock of the file that is there now. */
function savedUnderLock(path: string): boolean {
  // Waits for whoever has a lease (fcntl(2)).
  const fd = openSync(path, 'r+');
  try {
    if (!fileCalls().lock(fd, 'exclusive') || fstatSync(fd).ino !== statSync(path).ino) return false;
    renameSync(`${path}.editor`, path);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Saves the file again and again, each time from a copy that is some milliseconds old, and looks after its own line. */
class Editor {
  readonly #path: string;
  #edits = 0;
  #stopped = false;
  failed = false;
  readonly #done: Promise<void>;

  constructor(path: string) {
    this.#path = path;
    this.#done = this.#run();
    // Whoever stops it hears what it has found.
    this.#done.catch(() => {
      this.failed = true;
    });
  }

  /** Rejects when it has found something missing. */
  get done(): Promise<void> {
    return this.#done;
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    return this.#edits;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const text = read(this.#path);
      assert.equal(masked(text), masked(zone), 'bytes of others are as they were');
      assert.ok(text.startsWith(`# edit ${this.#edits}\n`), `edit ${this.#edits} is lost: ${text.slice(0, 20)}`);
      await new Promise((resolve) => setTimeout(resolve, this.#edits % 5));
      this.#edits += 1;
      // What another has saved meanwhile is gone, as with any editor.
      save(this.#path, text.replace(/^# edit \d+/, `# edit ${this.#edits}`));
      await new Promise((resolve) => setTimeout(resolve, 30 + (this.#edits % 40)));
    }
  }
}

if (!insideNamespace) {
  test('dyndns, killed again and again, in a namespace', async (t: TestContext) => {
    const lacking = lackingForSite();
    if (lacking !== undefined) return t.skip(lacking);
    await repeatInNamespace(t, import.meta.url);
  });
} else {
  test(`killed ${rounds} times beside an editor and a second server, it loses no accepted update and no byte of others`, async (t) => {
    await onSite(zone, async (site) => {
      // As the original writes them, byte for byte.
      writeFileSync(site.zone, zone, 'latin1');
      const beside = await site.serve('-b', `127.0.0.1:${otherPort}`);
      const editor = new Editor(site.zone);
      let lost = 0;
      let server = await site.serve();
      let [last, lastOther] = ['127.0.0.5', '127.0.0.5'];
      for (let round = 1; round <= rounds; round += 1) {
        const tail = `${1 + (round >> 7)}.${1 + (round & 127)}`;
        const [address, otherAddress] = [`127.1.${tail}`, `127.2.${tail}`];
        await send(encodePacket(key, now()), address);
        await send(encodePacket(second, now()), otherAddress, otherPort);
        // Every other round before it counts or about then, the others while it is written and published.
        const victim = server;
        const heard = (): boolean => victim.said().includes(address);
        if (round % 2 === 0) await until(heard, victim.said);
        await new Promise((resolve) => setTimeout(resolve, (round * 37) % 31));
        await server.stop('SIGKILL');
        if (editor.failed) await editor.done;
        const accepted = heard();
        if (!accepted) lost += 1;
        server = await site.serve();
        // One that was saved when the kill came before the word of it counts as well.
        const wanted = accepted ? [address] : [address, last];
        await until(
          () => wanted.includes(addressIn(read(site.zone), name)),
          () => `round ${round}: ${wanted.join(' or ')}\n${server.said()}\n${read(site.zone).slice(0, 400)}`,
        );
        last = addressIn(read(site.zone), name);
        await until(
          () => beside.said().includes(otherAddress),
          () => `round ${round}: the second server has not heard ${otherAddress}\n${beside.said().slice(-2000)}`,
        );
        lastOther = otherAddress;
        await until(
          () => addressIn(read(site.zone), other) === lastOther,
          () => `round ${round}: ${lastOther}\n${beside.said().slice(-2000)}\n${read(site.zone).slice(0, 400)}`,
        );
      }
      const edits = await editor.stop();
      t.diagnostic(`${rounds} kills, ${lost} before the packet counted, ${edits} saves of the editor`);
      assert.ok(edits > rounds, `only ${edits} edits`);
      assert.ok(lost <= rounds / 2, 'packets were taken before the kill');
      // Whatever the editor's last save has undone, a look at the file puts back.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await send(Buffer.from('look'), '127.0.0.1', port);
      await answered('A', last, server);
      await send(Buffer.from('look'), '127.0.0.1', otherPort);
      await answered('A', lastOther, beside, other);
      assert.equal(masked(read(site.zone)), masked(zone));
      assert.deepEqual([await server.stop(), await beside.stop()], [0, 0], server.said());
    });
  });
}
