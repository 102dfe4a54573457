/** How `netsteward nbrpc explain` reads in the terminal (pure). */
import { formatDuration } from '../core/duration.ts';
import type { HostExplanation } from '../nbrpc/explain.ts';
import type { AddressExplanation, ConfirmationExplanation, RouteVerdict } from '../nbrpc/explain-address.ts';
import type { KernelContents } from './compose-nbrpc-look.ts';

/** `source`: where it is from, for people; undefined: of the running daemon. */
export function explainText(told: HostExplanation, kernel: KernelContents, source?: string): string {
  const lines = [
    ...(source === undefined
      ? []
      : [`no netsteward runs: this is what ${source} says, and nothing is asked of anybody`]),
    `${told.host} ${headline(told)}`,
    ...listLines(told),
    line('policy', `${told.policy.text}${told.policy.byDefault ? ' (default)' : ''}: ${told.policy.meaning}`),
    line('state', stateText(told)),
    line('names', namesText(told)),
    ...told.addresses.flatMap((address) => addressLines(address, told, kernel)),
    line('rule', told.rule),
    ...(told.grace === null ? [] : [line('timer', graceText(told.grace))]),
    ...(told.exit === null ? [] : [line('exit', exitText(told.exit))]),
    ...told.exits.map((exit, index) => line(index === 0 ? 'exits' : '', `${exit.name} ${exitHealth(exit)}`)),
    ...told.conflicts.map((text) => line('shared', text)),
    ...('trouble' in kernel ? [line('kernel', `its sets were not looked at: ${kernel.trouble}`)] : []),
  ];
  return lines.map((each) => `${each.trimEnd()}\n`).join('');
}

const line = (label: string, text: string): string => `  ${label.padEnd(7)} ${text}`;

function headline(told: HostExplanation): string {
  const ways = new Set(
    told.addresses.flatMap(({ route }) => (route === null ? [] : [wayWords(route.way, route.exit)])),
  );
  if (ways.size === 0) return 'has no address that is routed';
  const all = [...ways].sort();
  return all.length === 1 ? all.join() : all.map((way) => `in part ${way}`).join(', ');
}

type WayKind = NonNullable<AddressExplanation['route']>['way'];

function wayWords(way: WayKind, exit: string | null): string {
  if (way === 'around') return exit === null ? 'goes through the tunnel' : `goes through exit ${exit}`;
  if (way === 'dropped') return 'is dropped, as no exit works for it';
  return way === 'nowhere' ? 'goes direct, as no exit works for it' : 'goes direct';
}

function listLines({ lists, check }: HostExplanation): readonly string[] {
  if (lists.length === 0) return [line('list', `${checkText(check)}; no list names it any more`)];
  return lists.map(({ file, line: number, token }, index) => {
    const place = number === null ? `${file}, which does not name it at the moment` : `${file}:${number}: ${token}`;
    return line('list', `${place}${index < lists.length - 1 ? ' (a later list wins)' : ''}`);
  });
}

function checkText({ type, path, result }: HostExplanation['check']): string {
  return `${type}${path === '/' ? '' : path}${result === '' ? '' : `=${result}`}`;
}

const stateWords: Readonly<Record<HostExplanation['state'], string>> = {
  ok: 'ok: works directly',
  failing: 'failing: fails directly, which is not confirmed yet',
  unstable: 'unstable: down on every route, or without a clear result',
  na: 'na: counts as blocked on the direct route',
  unknown: 'unknown: not decided yet',
};

function stateText({ state, since, failingSince, reason, now }: HostExplanation): string {
  const time = since === null ? '' : `, for ${ago(since, now)}`;
  const failing = failingSince === null || failingSince === since ? '' : `, failing for ${ago(failingSince, now)}`;
  return `${stateWords[state]}${time}${failing}${reason === '' ? '' : `: ${reason}`}`;
}

function namesText({ dns, addresses, now }: HostExplanation): string {
  const problem = dns.problem === '' ? '' : `; ${dns.problem}`;
  if (dns.resolved === null) return `not resolved yet${problem}`;
  const newest = addresses.filter(({ inDns }) => inDns).length;
  const older = addresses.length - newest;
  const rest = older === 0 ? '' : `, ${older} of earlier answers`;
  const next = dns.next === null ? '' : `, again ${within(dns.next, now)}`;
  const found = addresses.length === 0 ? 'no address' : `${newest} address${newest === 1 ? '' : 'es'}${rest}`;
  return `${found}; resolved ${ago(dns.resolved, now)} ago${next}${problem}`;
}

function addressLines(address: AddressExplanation, told: HostExplanation, kernel: KernelContents): readonly string[] {
  const { now } = told;
  const since = address.changed === null || address.verdict === 'unknown' ? '' : ` for ${ago(address.changed, now)}`;
  const gone = address.inDns || address.seen === null ? '' : `, last in DNS ${ago(address.seen, now)} ago`;
  const { next, direct } = address;
  const exits = address.exits.map((exit) => {
    const again = next.exits?.names.includes(exit.name) ? `, next ${within(next.exits.at, now)}` : '';
    const label = exit.name === '' ? 'the other route' : `exit ${exit.name}`;
    return `    ${label}: ${routeText(exit, now)}${resultsText(exit.results)}${again}`;
  });
  const unasked = (next.exits?.names ?? []).filter((name) => !address.exits.some((each) => each.name === name));
  return [
    `  ${address.address} ${verdictWords[address.verdict]}${since}${gone}`,
    `    direct: ${routeText(direct, now)}${next.direct === null ? '' : `, next ${within(next.direct, now)}`}`,
    ...exits,
    ...(unasked.length === 0 || next.exits === null
      ? []
      : [`    not asked yet: ${unasked.join(', ')}, first ${within(next.exits.at, now)}`]),
    ...(address.confirming === null ? [] : [`    ${confirmingText(address.confirming)}`]),
    ...(address.recovering === null ? [] : [`    ${recoveringText(address.recovering)}`]),
    ...kernelLines(address, told, kernel).map((text) => `    ${text}`),
  ];
}

const verdictWords = { works: 'works', blocked: 'blocked', unknown: 'not decided' } as const;

function routeText({ verdict, reason, asked }: RouteVerdict, now: number): string {
  const words = verdict === 'unknown' ? reason || 'no verdict' : `${verdict}${reason === '' ? '' : `: ${reason}`}`;
  return `${words}${asked === null ? '' : `, asked ${ago(asked, now)} ago`}`;
}

/** Only where not all of them say the same. */
function resultsText(results: readonly boolean[]): string {
  const worked = results.filter(Boolean).length;
  return worked === 0 || worked === results.length ? '' : `, worked ${worked} of the last ${results.length} times`;
}

function confirmingText(confirming: ConfirmationExplanation): string {
  const { tries, triesNeeded, rounds, needed, of, downEverywhere } = confirming;
  if (downEverywhere) return 'it fails on both routes: down for everybody, and no reason to go around';
  if (tries < triesNeeded) return `confirming: ${tries} of ${triesNeeded} failures in a row before rounds count`;
  const confirmed = rounds.filter(Boolean).length;
  return `confirming: ${confirmed} of the last ${rounds.length} rounds say blocked; ${needed} of ${of} decide`;
}

function recoveringText(recovering: NonNullable<AddressExplanation['recovering']>): string {
  const { for: lasted, needed, answers, answersNeeded, doubts, doubtsAllowed } = recovering;
  const left = needed - lasted;
  const time = `${formatDuration(lasted)} of ${formatDuration(needed)}`;
  const end = left > 0 ? `; direct again in ${formatDuration(left)} at the earliest` : '; direct with the next answer';
  return `answers again: ${time}, ${answers} of ${answersNeeded} times, ${doubts} of ${doubtsAllowed} failures allowed${end}`;
}

/** What is to be, and what the kernel has. */
function kernelLines({ address, route }: AddressExplanation, told: HostExplanation, kernel: KernelContents): string[] {
  const { family, table, names } = told.sets;
  const place = `${family} ${table}`;
  const wanted = route?.set ?? null;
  const by = route === null || route.by === told.host ? '' : ` (${route.by} decides)`;
  const aim = route === null ? 'never enters a set' : `${wayWords(route.way, route.exit)}${by}`;
  if ('trouble' in kernel) return [wanted === null ? aim : `${aim}: set ${place} ${wanted}`];
  const has = names.filter((name) => kernel.get(name) !== 'uncountable' && holds(kernel.get(name), address));
  const odd = has
    .filter((name) => name !== wanted)
    .map((name) => `the kernel has it in ${name} too, where it is not wanted`);
  if (wanted === null) return [`${aim}: in no set`, ...odd];
  const contents = kernel.get(wanted);
  if (contents === undefined) return [`${aim}: the kernel has no set ${place} ${wanted}`, ...odd];
  if (contents === 'uncountable')
    return [`${aim}: the set ${place} ${wanted} has ranges too large to look through`, ...odd];
  return [`${aim}: the kernel ${contents.has(address) ? 'has' : 'lacks'} it in ${place} ${wanted}`, ...odd];
}

function holds(contents: ReadonlySet<string> | 'uncountable' | undefined, address: string): boolean {
  return contents !== undefined && contents !== 'uncountable' && contents.has(address);
}

function graceText({ becomes, left, of }: NonNullable<HostExplanation['grace']>): string {
  const what = becomes === 'blocked' ? 'it counts as blocked' : 'it goes direct again';
  if (left === 0) return `${what} with the next look, if nothing changes`;
  return `${what} in ${formatDuration(left)} (of ${formatDuration(of)}, while its own side works), if nothing changes`;
}

function exitText({ name, why }: NonNullable<HostExplanation['exit']>): string {
  return name === '' ? `none: ${why}` : `${name}: ${why}`;
}

function exitHealth({ works, reason, latency, taken }: HostExplanation['exits'][number]): string {
  const time = latency === null ? '' : `, ${Math.round(latency)} ms`;
  return `${works ? `works${time}` : `is down: ${reason}`}${taken ? ' (taken)' : ''}`;
}

function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  return seconds === 0 ? '0s' : formatDuration(seconds * 1000);
}

function within(at: number, now: number): string {
  const left = Math.round((at - now) / 1000) * 1000;
  return left <= 0 ? 'now' : `in ${formatDuration(left)}`;
}
