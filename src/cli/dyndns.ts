/** `netsteward dyndns`: names that follow their machines, by signed packets. */
import type { Command } from 'commander';
import { registerDyndnsCheck } from './dyndns-check.ts';
import { registerDyndnsSend } from './dyndns-send.ts';
import { registerDyndnsServe } from './dyndns-serve.ts';
import { registerDyndnsStatus } from './dyndns-status.ts';

export function registerDyndns(program: Command): void {
  const command = program
    .command('dyndns')
    .summary('names that follow their machines, by one signed packet')
    .description(
      'The server and the client of signed address updates for tinydns zones, as tddu-server.py and tddu-client.py.',
    );
  registerDyndnsServe(command);
  registerDyndnsSend(command);
  registerKeygen(command);
  registerDyndnsCheck(command);
  registerDyndnsStatus(command);
}

/** Here and not beside what it runs, which loads the cryptography: help must cost nothing. */
function registerKeygen(parent: Command): void {
  parent
    .command('keygen')
    .summary('make a key pair for a client')
    .description(
      'Makes a new Ed25519 key pair: a secret key for the client, a verify key for the zone file of the server.',
    )
    .option('-o, --output <file>', 'write the secret key to a new file (mode 0600) instead of printing it')
    .addHelpText(
      'after',
      `
The verify key belongs into the zone file of the server, above the names that follow the client:
  # dynamic: 0 VERIFY-KEY
  +home.example.org:192.0.2.1

Example:
  $ netsteward dyndns keygen -o /etc/netsteward/dyndns.key`,
    )
    .action(async (flags: { readonly output?: string }) => {
      const { generateKey } = await import('./dyndns-keygen.ts');
      process.exitCode = generateKey(flags);
    });
}
