/** `netsteward nft-agent` and nothing else, as a program: what kernel tests and benches start as agent. */
import { join } from 'node:path';
import { Command } from 'commander';
import { registerNftAgent } from '../../src/cli/nft-agent.ts';

/** Command that starts it; arguments of nft-agent follow. */
export const agentCommand: readonly string[] = [
  process.execPath,
  join(import.meta.dirname, 'nft-agent-entry.js'),
  'nft-agent',
];

if (process.argv[1] === agentCommand[1]) {
  const program = new Command('netsteward').exitOverride();
  registerNftAgent(program);
  await program.parseAsync();
}
