/** The option by which `status` and `reload` find the running netsteward. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultControlSocket } from '../supervisor/defaults.ts';

export interface SocketOptions {
  readonly socket: string;
}

export function addSocketOption(command: Command): Command {
  return command.addOption(
    new Option('--socket <path>', 'control.socket of the running netsteward')
      .env('NETSTEWARD_SOCKET')
      .default(defaultControlSocket)
      .argParser(notEmpty),
  );
}

function notEmpty(path: string): string {
  if (path === '') throw new InvalidArgumentError('It must not be empty.');
  return path;
}
