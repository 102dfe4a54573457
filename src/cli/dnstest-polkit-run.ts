/** What `netsteward dnstest polkit` does: the configuration's cures to a rule of polkit. */
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { curesOf } from '../dnstest/configured-cures.ts';
import type { DnstestConfig } from '../dnstest/index.ts';
import { polkitRule } from '../dnstest/polkit-rule.ts';
import { type ConfigSource, loadConfiguration } from '../supervisor/config.ts';
import { errorLog } from './check-configuration.ts';
import { composeRegistry, readText } from './compose.ts';
import { print } from './output.ts';

/** Rejects with DiagnosticError when the configuration is wrong, and with `dnstest-no-units` where no cure needs a rule. */
export async function printPolkitRule(source: ConfigSource, user: string): Promise<ExitCode> {
  const { modules } = await loadConfiguration(source, composeRegistry(errorLog), readText);
  const config = modules.get('dnstest')?.config as DnstestConfig | undefined;
  const rule = polkitRule((config?.resolver ?? []).flatMap(curesOf), user);
  if (rule === undefined) {
    throw new NetstewardError(
      'dnstest-no-units',
      `no cure in ${source.file} restarts or reloads a unit: no rule is needed`,
      {
        remedy: 'Name the unit in restart or reload of [[dnstest.resolver]].',
      },
    );
  }
  print(rule);
  return exitCodes.ok;
}
