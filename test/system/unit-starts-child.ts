/** Asks in a container when the units of its command line began, and writes what it learns and the time as JSON. */
import { systemClock } from '../../src/core/clock.ts';
import { SystemctlStarts } from '../../src/system/linux/systemctl.ts';

const starts = new SystemctlStarts({ clock: systemClock });
const found = await starts.mainStarts(process.argv.slice(2), new AbortController().signal);
process.stdout.write(JSON.stringify({ now: starts.now(), found: Object.fromEntries(found) }));
