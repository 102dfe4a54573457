/** The answer to a command that a module does not have. */
import { NetstewardError } from '../core/errors.ts';

export function commandUnknown(module: string, name: string): NetstewardError {
  return new NetstewardError('command-unknown', `${module} has no command "${name}"`);
}
