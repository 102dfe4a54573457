/** `netsteward completion`: a script that makes the shell complete this command line. */
import { Argument, type Command } from 'commander';

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a completion script for your shell')
    .description('Prints a script that makes the shell complete commands, options and their values.')
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  $ netsteward completion bash > /etc/bash_completion.d/netsteward
  $ netsteward completion zsh > "\${fpath[1]}/_netsteward"
  $ netsteward completion fish > ~/.config/fish/completions/netsteward.fish`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const [{ completionScript }, { commandShape }] = await Promise.all([
        import('./completion-script.ts'),
        import('./command-shape.ts'),
      ]);
      process.stdout.write(completionScript(shell, commandShape(program)));
    });
}
