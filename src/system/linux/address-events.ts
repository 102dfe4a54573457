/** AddressEvents over iproute2: `ip monitor` tells that something moved, `ip address` and `ip route` what there is now. */
import { execFile, spawn } from 'node:child_process';
import { type Backoff, backoffDelay } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { errnoOf, NetstewardError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { AddressEvents, AddressListener } from '../address-ports.ts';
import { addressState, isAddressEvent } from './address-state.ts';
import { EntryLines } from './journalctl-entries.ts';

export interface AddressEventsOptions {
  readonly clock: Clock;
  /** The program; default: `ip`, also where the path of users has no sbin. */
  readonly command?: string;
}

const again: Backoff = { first: 500, most: 60_000 };
/** `ip monitor` says nothing when it begins: when it has not ended after so many milliseconds, it listens. */
const quietTime = 500;
/** Milliseconds and bytes that a look may take. */
const patience = 10_000;
const mostOutput = 16 * 1024 * 1024;

const settings = {
  env: { PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  cwd: '/',
};

export class IprouteAddresses implements AddressEvents {
  readonly #clock: Clock;
  readonly #command: string;

  constructor({ clock, command = 'ip' }: AddressEventsOptions) {
    this.#clock = clock;
    this.#command = command;
  }

  follow(listener: AddressListener): { close(): Promise<void> } {
    return new Following(this.#clock, this.#command, listener);
  }

  async current(): Promise<readonly string[]> {
    const [addresses, ...routes] = await Promise.all([
      this.#ask('address', 'show', 'up'),
      this.#ask('-4', 'route', 'show', 'default'),
      // A kernel without IPv6 has no such routes.
      this.#ask('-6', 'route', 'show', 'default').catch(() => ''),
    ]);
    try {
      return addressState(addresses, routes);
    } catch (error) {
      throw new NetstewardError(
        'addresses-unreadable',
        `${this.#command} -json answers with something else than JSON`,
        {
          cause: error,
          remedy: 'install iproute2',
        },
      );
    }
  }

  #ask(...args: readonly string[]): Promise<string> {
    const options = { ...settings, timeout: patience, maxBuffer: mostOutput, encoding: 'utf8' } as const;
    return new Promise((resolve, reject) => {
      execFile(this.#command, ['-json', ...args], options, (error, output, said) => {
        if (error === null) return resolve(output);
        const reason = missing(this.#command, error) ?? printable(said.trim().split('\n').at(-1) || error.message);
        reject(new NetstewardError('addresses-unreadable', `this machine's addresses cannot be read: ${reason}`));
      });
    });
  }
}

class Following {
  readonly #clock: Clock;
  readonly #command: string;
  readonly #listener: AddressListener;
  #kill: () => void = () => {};
  #ended: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #failures = 0;
  #told: string | undefined;
  #closed = false;

  constructor(clock: Clock, command: string, listener: AddressListener) {
    this.#clock = clock;
    this.#command = command;
    this.#listener = listener;
    this.#start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#kill();
    await this.#ended;
  }

  #start(): void {
    // Ctrl-C on a terminal is for its parent. When that is killed, it ends with the next event: nobody reads its output.
    // Links too: the kernel takes IPv4 routes away with their link, and tells of the link alone (fib_sync_down_dev in net/ipv4).
    const child = spawn(this.#command, ['-oneline', 'monitor', 'link', 'address', 'route'], {
      ...settings,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#kill = () => child.kill('SIGKILL');
    const lines = new EntryLines();
    child.stdout.on('data', (bytes: Buffer) => {
      if (lines.add(bytes).some(isAddressEvent)) this.#listener.touched();
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    this.#timer = this.#clock.after(quietTime, () => this.#found());
    this.#ended = new Promise((resolve) => {
      let over = false;
      const end = (reason: string): void => {
        if (over) return;
        over = true;
        resolve();
        this.#lost(reason);
      };
      child.on('error', (error) => {
        if (child.pid === undefined) end(missing(this.#command, error) ?? error.message);
      });
      child.on('close', (code, signal) => {
        const last = said.trim().split('\n').at(-1) ?? '';
        end(
          `${this.#command} monitor ended with ${signal ?? `code ${code}`}${last === '' ? '' : `: ${printable(last)}`}`,
        );
      });
    });
  }

  #found(): void {
    if (this.#closed) return;
    this.#failures = 0;
    this.#told = undefined;
    this.#listener.found();
    // What came before it listened, it has not told.
    this.#listener.touched();
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#failures += 1;
    this.#timer = this.#clock.after(backoffDelay(this.#failures, again), () => this.#start());
    if (this.#told === reason) return;
    this.#told = reason;
    this.#listener.lost(reason);
  }
}

function missing(command: string, error: unknown): string | undefined {
  return errnoOf(error) === 'ENOENT' ? `${command} is not installed (Debian package iproute2)` : undefined;
}
