/** What holds where nobody says otherwise: the contract's port, clock window and client delays, in the table and on the command line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { registerDyndnsSend } from '../../../src/cli/dyndns-send.ts';
import { registerDyndnsServe } from '../../../src/cli/dyndns-serve.ts';
import { parseDyndns } from '../../../src/dyndns/config.ts';

test('the table listens on [::]:5533, refuses what is 10 minutes from the clock, and leaves timestamps alone', () => {
  const parsed = parseDyndns({ zone: [{ file: '/zone' }] });
  assert.ok(parsed.ok);
  const { bind, clock_window, update_timestamps, verify, key } = parsed.config;
  assert.deepEqual(
    { bind, clock_window, update_timestamps, verify, key },
    { bind: '[::]:5533', clock_window: 600_000, update_timestamps: false, verify: undefined, key: [] },
  );
});

test('so does the command line of the server; that of the client sends one packet, and doubles from one second', () => {
  const program = new Command();
  registerDyndnsServe(program);
  registerDyndnsSend(program);
  const optionsOf = (name: string) => program.commands.find((command) => command.name() === name)?.options ?? [];
  const defaults = (name: string): Record<string, unknown> =>
    Object.fromEntries(
      optionsOf(name).flatMap((option) =>
        option.defaultValue === undefined ? [] : [[option.attributeName(), option.defaultValue as unknown]],
      ),
    );
  assert.deepEqual(defaults('serve'), { clockWindow: 600, zone: [] });
  assert.match(optionsOf('serve').find(({ long }) => long === '--bind')?.description ?? '', /\(default: \[::\]:5533\)/);
  assert.deepEqual(defaults('send'), { packets: 1, sendDelay: '1:mul:2' });
});
