/** What polkit has to know so that a user may restart and reload just the units that cures name, and no other (pure). */
import type { Cure } from './cures.ts';

/**
 * A file for /etc/polkit-1/rules.d (polkit(8), "AUTHORIZATION RULES"). systemd tells a rule `unit` and `verb`, which is the type of the
 * job (job_type_to_string(), src/core/job.c). Undefined where no cure starts anything.
 */
export function polkitRule(cures: readonly Cure[], user: string): string | undefined {
  const allowed = new Set<string>();
  for (const cure of cures) {
    if (cure.kind === 'reload') allowed.add(`reload ${cure.unit}`);
    if (cure.kind === 'restart') for (const verb of ['restart', 'try-restart']) allowed.add(`${verb} ${cure.unit}`);
  }
  if (allowed.size === 0) return undefined;
  const lines = [...allowed].sort().map((each) => `  ${JSON.stringify(each)},\n`);
  return `// What the cures of [dnstest] may do to units, for /etc/polkit-1/rules.d/50-netsteward-dnstest.rules (docs/resolver-watchdog.md).
// Made by: netsteward dnstest polkit
var netstewardCures = [
${lines.join('')}];
polkit.addRule(function (action, subject) {
  if (action.id !== "org.freedesktop.systemd1.manage-units" || subject.user !== ${JSON.stringify(user)}) {
    return polkit.Result.NOT_HANDLED;
  }
  var wanted = action.lookup("verb") + " " + action.lookup("unit");
  return netstewardCures.indexOf(wanted) >= 0 ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
});
`;
}
