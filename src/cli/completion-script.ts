/** Completion scripts for bash, zsh and fish, made from the command tree (pure). */
import type { CommandShape } from './command-shape.ts';
import { bashScript } from './completion-bash.ts';
import { fishScript } from './completion-fish.ts';
import { zshScript } from './completion-zsh.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const makers: Readonly<Record<Shell, (root: CommandShape) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function completionScript(shell: Shell, root: CommandShape): string {
  return makers[shell](root);
}
