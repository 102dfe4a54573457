/** Flags of `netsteward dnstest` as a plan: what is wrong with them is said, and so are the plan's warnings. */
import { NetstewardError } from '../core/errors.ts';
import { hashKeyOf } from './compose-dnstest.ts';
import type { CheckOptions } from './dnstest-check.ts';
import { failureText } from './failure.ts';
import { printError } from './output.ts';

/** Undefined when the flags make no plan; the exit code is `checkExits.usage` then. */
export async function planned<Options extends CheckOptions, Plan extends { readonly warnings: readonly string[] }>(
  options: Options,
  plan: (options: Options) => Plan,
): Promise<Plan | undefined> {
  try {
    const made = plan({ ...options, hashKey: await hashKeyOf(options) });
    for (const warning of made.warnings) printError(`netsteward: warning: ${warning}\n`);
    return made;
  } catch (error) {
    if (!(error instanceof NetstewardError)) throw error;
    printError(failureText(error));
    return undefined;
  }
}
