/** `netsteward lab …` alone, as a process of its own (for lab-cli.test.ts). */
import { Command, CommanderError } from 'commander';
import { exitCodeOf, failureText } from '../../src/cli/failure.ts';
import { registerLab } from '../../src/cli/lab.ts';

const program = new Command('netsteward').exitOverride();
registerLab(program);
try {
  await program.parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 64;
  } else {
    process.stderr.write(failureText(error));
    process.exitCode = exitCodeOf(error);
  }
}
