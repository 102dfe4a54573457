/** Names of systemd's units, of their cgroup directories, and where a unit's cgroup stands unless its settings say otherwise (pure). */

/** systemd.unit(5); the first six have cgroups. */
const typesWithCgroup: readonly string[] = ['service', 'scope', 'slice', 'socket', 'mount', 'swap'];
const unitTypes: readonly string[] = [...typesWithCgroup, 'target', 'device', 'automount', 'timer', 'path'];

/** UNIT_NAME_MAX of systemd's basic/unit-name.h, less the final NUL. */
const longest = 255;
const notInUnits = /[^A-Za-z0-9:\-_.\\@]/u;

/** What the cgroup file system could have files of its own for: cgroup_controller_table in systemd's basic/cgroup-util.c. */
const controllers: ReadonlySet<string> = new Set(
  (
    'cpu cpuacct cpuset io blkio memory devices pids ' +
    'bpf-firewall bpf-devices bpf-foreign bpf-socket-bind bpf-restrict-network-interfaces'
  ).split(' '),
);
const reserved: ReadonlySet<string> = new Set(['notify_on_release', 'release_agent', 'tasks']);

/** What is wrong with the name of a unit, or undefined: unit_name_is_valid() in systemd's basic/unit-name.c, templates left out. */
export function unitNameProblem(unit: string): string | undefined {
  if (unit.length > longest) return `a unit's name has at most ${longest} characters`;
  const dot = unit.lastIndexOf('.');
  const wrong = notInUnits.exec(unit)?.[0];
  if (wrong !== undefined) return `a unit's name cannot have ${JSON.stringify(wrong)} in it`;
  if (!unitTypes.includes(unit.slice(dot + 1))) return `"${unit.slice(dot)}" is no type of unit`;
  if (dot <= 0) return 'the name before the type is missing';
  const at = unit.indexOf('@');
  if (at === 0) return 'the name before the "@" is missing';
  if (at === dot - 1) return 'it is a template: only its instances run, as in foo@x.service';
  return undefined;
}

/** `service` of `foo.service`; undefined when what follows the last dot is no type of unit. */
export function unitType(unit: string): string | undefined {
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  return unit.includes('.') && unitTypes.includes(type) ? type : undefined;
}

/** Whether units of this type can have processes, and so a cgroup. */
export function hasCgroup(type: string): boolean {
  return typesWithCgroup.includes(type);
}

/**
 * Name of a unit's cgroup directory: cg_needs_escape() in systemd's basic/cgroup-util.c. First the name that systemd of today
 * gives, then, where it differs, that of older ones: 252 lets a controller be followed by just one more dot (`cpu.service`
 * is `_cpu.service`, `cpu.foo.service` stays), 257 by any (`_cpu.foo.service`); both tried.
 */
export function directoryNames(unit: string): readonly [string, ...string[]] {
  if (unit.startsWith('_') || unit.startsWith('.') || reserved.has(unit)) return [`_${unit}`];
  if (unit.startsWith('cgroup.')) return [`_${unit}`];
  const first = unit.indexOf('.');
  if (first < 0 || !controllers.has(unit.slice(0, first))) return [unit];
  return first === unit.lastIndexOf('.') ? [`_${unit}`] : [`_${unit}`, unit];
}

/** The unit that a directory is for, should it be for one: cg_unescape(). */
export function unitOfDirectory(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}

/** Path of a slice, which its name says: `a-b.slice` is in `a.slice`, and `-.slice` is the root. Undefined for what names none. */
export function slicePath(slice: string): string | undefined {
  if (slice === '-.slice') return '';
  if (!slice.endsWith('.slice') || slice.includes('@') || unitNameProblem(slice) !== undefined) return undefined;
  const parts = slice.slice(0, -'.slice'.length).split('-');
  if (parts.includes('')) return undefined;
  return parts.map((_, last) => directoryNames(`${parts.slice(0, last + 1).join('-')}.slice`)[0]).join('/');
}

/** The slice that a slice must stand in; undefined for one that stands at a manager's root, or is none. */
export function parentSlice(slice: string): string | undefined {
  const dash = slice.lastIndexOf('-');
  return slice.endsWith('.slice') && dash > 0 ? `${slice.slice(0, dash)}.slice` : undefined;
}

/** What systemd-escape(1) makes of a text: `/` becomes `-`, and what a unit's name cannot have or `-` becomes `\xNN`. */
export function escapeUnitText(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte, index) => {
      const letter = String.fromCharCode(byte);
      if (letter === '/') return '-';
      if (/[A-Za-z0-9:_]/.test(letter) || (letter === '.' && index > 0)) return letter;
      return `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** The text behind escapes, or undefined where a `\` is not followed by `x` and two hexadecimal digits, or the bytes are no UTF-8. */
export function unescapeUnitText(text: string): string | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (letter === '-') bytes.push(0x2f);
    else if (letter !== '\\') bytes.push(...new TextEncoder().encode(letter));
    else {
      const digits = /^\\x([0-9a-fA-F]{2})$/.exec(text.slice(at, at + 4))?.[1];
      if (digits === undefined) return undefined;
      bytes.push(Number.parseInt(digits, 16));
      at += 3;
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}

/**
 * Where the cgroup of a system unit stands if the unit has no Slice= of its own (unit_set_default_slice() in systemd's
 * core/unit.c): services in system.slice, instances one slice deeper, slices by their names. Undefined for what has no cgroup.
 */
export function defaultPath(unit: string): string | undefined {
  if (unit === 'init.scope') return unit;
  const manager = /^user@(\d+)\.service$/.exec(unit)?.[1];
  // Units that systemd itself ships with a Slice= of their own: user@.service and user-runtime-dir@.service.
  const uid = manager ?? /^user-runtime-dir@(\d+)\.service$/.exec(unit)?.[1];
  if (uid !== undefined) return `user.slice/user-${uid}.slice/${unit}`;
  return pathBelow(unit, 'system');
}

/** The same for a unit of a user's own manager (systemd --user): app.slice takes the place of system.slice. */
export function defaultUserPath(uid: number, unit: string): string | undefined {
  const root = defaultPath(`user@${uid}.service`);
  const path = unit === 'init.scope' ? unit : pathBelow(unit, 'app');
  return root === undefined || path === undefined ? undefined : `${root}/${path}`;
}

function pathBelow(unit: string, manager: 'system' | 'app'): string | undefined {
  const type = unitType(unit);
  if (type === undefined || !hasCgroup(type) || unitNameProblem(unit) !== undefined) return undefined;
  if (type === 'slice') return slicePath(unit);
  const at = unit.indexOf('@');
  const slice = at < 0 ? `${manager}.slice` : `${manager}-${escapeUnitText(unit.slice(0, at))}.slice`;
  return `${slicePath(slice)}/${directoryNames(unit)[0]}`;
}

/** How many names a path has: the `level` of a rule for it. The root's is 0. */
export function pathDepth(path: string): number {
  return path === '' ? 0 : path.split('/').length;
}
