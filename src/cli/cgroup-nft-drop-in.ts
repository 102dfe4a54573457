/** `netsteward cgroup-nft drop-in`: files for systemd that close the last gap between a unit's start and its rules. */
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parentSlice, pathDepth, slicePath, unitNameProblem } from '../cgroup-nft/unit-name.ts';
import { parseDuration } from '../core/duration.ts';
import { NetstewardError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { type NftFamily, type NftTable, nftFamilies } from '../system/nft-script.ts';
import { identifierProblem } from '../system/nft-text.ts';
import { print } from './output.ts';

export interface DropInFlags {
  readonly mode: string;
  readonly timeout: string;
  readonly slice?: string;
  readonly set?: string;
}

/** Throws NetstewardError `usage`. */
export function printDropIn(unit: string, flags: DropInFlags): ExitCode {
  print(dropIn(unit, flags, systemdCommand()));
  return exitCodes.ok;
}

/** `program`: how systemd is to start netsteward. */
export function dropIn(unit: string, flags: DropInFlags, program: string): string {
  const problem = nameProblem(unit);
  if (problem !== undefined) throw usage(`${JSON.stringify(unit)} is not the name of a unit: ${problem}`);
  if (parseDuration(flags.timeout) === undefined) {
    throw usage(`--timeout must be a duration such as "5s", not ${flags.timeout}`);
  }
  switch (flags.mode) {
    case 'gate':
      return head(unit) + gate(unit, flags.timeout, program);
    case 'slice':
      return head(unit) + slice(unit, flags.slice);
    case 'nftset':
      return head(unit) + nftSet(unit, flags, program);
    default:
      throw usage(`--mode must be gate, slice or nftset, not ${JSON.stringify(flags.mode)}`);
  }
}

/** A drop-in may be for all instances of a template. */
function nameProblem(unit: string): string | undefined {
  return unitNameProblem(unit.replace(/@(?=\.[a-z]+$)/, '@x'));
}

const head = (unit: string): string =>
  `# /etc/systemd/system/${unit}.d/netsteward.conf, then: systemctl daemon-reload\n`;

function gate(unit: string, timeout: string, program: string): string {
  if (!unit.endsWith('.service')) throw usage('only a service has an ExecStartPre=: use --mode slice');
  return `# The process begins when its rules are in the kernel. A start that waits longer than ${timeout} fails.
# "+": with root's rights, which the control socket of netsteward asks for.
[Unit]
Wants=netsteward.service
After=netsteward.service
[Service]
ExecStartPre=+${program} cgroup-nft wait --timeout ${timeout} %n
`;
}

function slice(unit: string, name: string | undefined): string {
  if (!/\.(?:service|scope)$/.test(unit)) throw usage('only services and scopes can be put into a slice');
  const own = name ?? `netsteward_${unit.replace(/\.[a-z]+$/, '').replace(/[^A-Za-z0-9_.]/g, '_')}.slice`;
  const path = slicePath(own);
  if (path === undefined || path === '')
    throw usage(`--slice ${own}: it must be the name of a slice, ending in ".slice"`);
  const parent = parentSlice(own);
  const inside = parent === undefined ? '' : ` (in ${parent}, as its name says)`;
  return `# A slice of its own${inside}: its cgroup stays when the unit stops, so that what names it matches from the first packet on.
# Name the slice instead of the unit:  socket cgroupv2 level ${pathDepth(path)} "${path}"
# It stays as long as something wants it, from boot on:
#   printf '[Unit]\\nDescription=Kept for the firewall\\n' > /etc/systemd/system/${own}
#   systemctl daemon-reload && systemctl add-wants slices.target ${own} && systemctl start ${own}
# A ruleset that names it at boot needs, in a drop-in of nftables.service:  [Unit] Requires=${own} After=${own}
[${unit.endsWith('.scope') ? 'Scope' : 'Service'}]
Slice=${own}
`;
}

export interface SetReference {
  readonly table: NftTable;
  readonly name: string;
}

/** `FAMILY:TABLE:SET` as NFTSet= has it. Throws NetstewardError `usage`. */
export function setReference(text: string): SetReference {
  const [family = '', table = '', name = '', ...more] = text.split(':');
  const known = (nftFamilies as readonly string[]).includes(family);
  const wrong = identifierProblem(table) ?? identifierProblem(name);
  if (!known || wrong !== undefined || more.length > 0) {
    throw usage(`--set must be FAMILY:TABLE:SET, such as inet:filter:mail, not ${JSON.stringify(text)}`);
  }
  return { table: { family: family as NftFamily, name: table }, name };
}

function nftSet(unit: string, { set, timeout }: DropInFlags, program: string): string {
  if (set === undefined) throw usage('--mode nftset needs --set FAMILY:TABLE:SET, such as inet:filter:mail');
  const { name } = setReference(set);
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  const section = {
    service: 'Service',
    scope: 'Scope',
    slice: 'Slice',
    socket: 'Socket',
    mount: 'Mount',
    swap: 'Swap',
  }[type];
  if (section === undefined) throw usage(`a ${type} has no cgroup`);
  const test =
    type === 'service'
      ? `# systemd does nothing and says nothing where it cannot: each start tests whether it did.
ExecStartPre=+${program} cgroup-nft wait --set ${set} --timeout ${timeout} %n
`
      : '';
  return `# systemd 255 and newer put the cgroup's id into the set before the process begins. System units only: in units of users
# it is silently ignored. After a flush of the ruleset it is back with the unit's next start, or systemctl daemon-reload.
# The ruleset needs:  set ${name} { type cgroupsv2; }
[${section}]
NFTSet=cgroup:${set}
${test}`;
}

/** Where systemd looks for programs that are named without a path (systemd.service(5)). */
const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function systemdCommand(): string {
  const found = searchPath.some((folder) => {
    try {
      accessSync(`${folder}/netsteward`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return 'netsteward';
  return [process.execPath, fileURLToPath(new URL('../main.js', import.meta.url))].map(unitWord).join(' ');
}

/** A word of ExecStart= (systemd.service(5), "Command lines"): `%` begins a specifier, `$` a variable. */
export function unitWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\;]/.test(word) ? `"${escaped.replace(/["\\]/g, '\\$&')}"` : escaped;
}

function usage(message: string): NetstewardError {
  return new NetstewardError('usage', message);
}
