/** The program of the supervisor's own nft-agent: `nft-agent-entry.js nft-agent --supervised`. */
//
// Not main.js: of all that `netsteward` is made of it needs a third. The arguments are for those who look at the list of processes.
import { exitCodeOf, failureText } from './failure.ts';
import { superviseAgent } from './nft-agent-supervised.ts';
import { endQuietlyWithReader, printError } from './output.ts';

endQuietlyWithReader();
try {
  process.exitCode = await superviseAgent();
} catch (error) {
  printError(failureText(error));
  process.exitCode = exitCodeOf(error);
}
