/** `netsteward nbrpc` alone as a process, for tests of signals. */
import { Command } from 'commander';
import { registerNbrpc } from '../../../src/cli/nbrpc.ts';

const program = new Command();
registerNbrpc(program);
await program.parseAsync(process.argv);
