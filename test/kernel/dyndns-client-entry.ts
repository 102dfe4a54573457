/** `netsteward dyndns` alone as a process, for tests. */
import { Command } from 'commander';
import { registerDyndns } from '../../src/cli/dyndns.ts';
import { exitCodeOf, failureText } from '../../src/cli/failure.ts';

const program = new Command('netsteward').enablePositionalOptions();
registerDyndns(program);
try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.stderr.write(failureText(error));
  process.exitCode = exitCodeOf(error);
}
