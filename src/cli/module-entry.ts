/** The program of a module's own process or thread: `module-entry.js NAME`, started by the supervisor alone. */
//
// No subcommand: what `netsteward` is made of need not be loaded again for each module.
import { systemClock } from '../core/clock.ts';
import { exitCodes } from '../core/exit-codes.ts';
import { serveModule } from '../supervisor/module-server.ts';
import { composeModuleSide } from './compose.ts';
import { failureText } from './failure.ts';
import { printError } from './output.ts';
import { packageVersion } from './version.ts';

try {
  const { link, bind } = await composeModuleSide(process.argv[2]);
  serveModule({ link, bind, clock: systemClock, version: packageVersion() });
} catch (error) {
  printError(failureText(error));
  process.exitCode = exitCodes.failure;
}
