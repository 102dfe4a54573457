/** The option by which `status` and `reload` find the running netsteward. */
import { type Command, Option } from 'commander';
import { defaultControlSocket } from '../supervisor/defaults.ts';

export interface SocketOptions {
  readonly socket: string;
}

export function addSocketOption(command: Command): Command {
  return command.addOption(
    new Option('--socket <path>', 'control.socket of the running netsteward')
      .env('NETSTEWARD_SOCKET')
      .default(defaultControlSocket),
  );
}
