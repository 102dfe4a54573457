/** What other lists or another configuration would flip, from the state as it is; nothing is asked of anybody (pure). */
import { type Settled, sameWay, settledAddresses, type Way, wayWords } from './claims.ts';
import type { NbrpcConfig } from './config.ts';
import { decide } from './decide.ts';
import { exitsOf } from './exits.ts';
import { claimsIn, neverRouted, type RoutingConfig } from './explaining.ts';
import { applyLists, type ListReading } from './lists.ts';
import { passSettings } from './pass-settings.ts';
import { newestSeen } from './policy.ts';
import { policyOf } from './policy-spec.ts';
import { policyText } from './policy-words.ts';
import { decidePrompt } from './prompt/decide.ts';
import { LiveStates } from './prompt/live.ts';
import { promptDefaults } from './prompt/settings.ts';
import type { ResolvedHost } from './resolve.ts';
import { Draft, type HostEntry, State, type StateView } from './state.ts';

/** Addresses of one service that would go another way. */
export interface PlannedFlip {
  readonly host: string;
  /** For people: `direct`, `tunnel`, `exit fast`, …; `not listed` before or after. */
  readonly from: string;
  readonly to: string;
  readonly addresses: readonly string[];
  readonly why: string;
}

export interface WhatIf {
  /** By host. */
  readonly flips: readonly PlannedFlip[];
  /** Services that the lists would bring: nothing is known of them before their first checks. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  /** Of the services before. */
  readonly services: number;
}

export interface Supposed {
  /** What is in force. */
  readonly before: RoutingConfig;
  readonly after: NbrpcConfig;
  /** The lists of `after`, as they are read now, all of them. */
  readonly lists: readonly ListReading[];
  /** Seconds since the epoch. */
  readonly now: number;
  /** Exits that are down: no service takes them. */
  readonly dead: ReadonlySet<string>;
}

/** As it would be once the lists were read, and every name had been resolved again with the same answers. */
export function whatIf(state: State, supposed: Supposed): WhatIf {
  const { before, after } = supposed;
  const { changes, lists } = decided(state, supposed);
  const next = new State(state.hosts(), state.lists().values(), state.timeline);
  next.adopt(changes);
  const [was, is] = [routesIn(state, before), routesIn(next, after)];
  const names = new Set([...state.hosts(), ...next.hosts()].map(({ record }) => record.name));
  const flips = [...names].sort().flatMap((host) => flipsOfHost(host, state, next, was, is, supposed));
  return { flips, ...lists, services: state.size };
}

type Routes = ReadonlyMap<string, Settled>;

function routesIn(state: StateView, config: RoutingConfig): Routes {
  return settledAddresses(claimsIn(state.hosts(), config), neverRouted(config));
}

function decided(state: State, { before, after, lists, now, dead }: Supposed) {
  const settings = passSettings(after);
  const counted = now - state.timeline.lost;
  const draft = new Draft(state);
  applyLists(draft, lists);
  const resolved = resolvedAgain(draft, after);
  if (after.schedule === 'original') {
    return decide(state, settings, { now, counted, lists, resolved, checked: [], graceless: false });
  }
  const exits = exitsOf(after).map(({ name }) => name);
  const prompt = { ...promptDefaults, exit: exits.length > 0 };
  const live = new LiveStates(prompt);
  // What had no exit that works has none until one has answered.
  const unproven = new Set(exitsOf(before).map(({ name }) => name));
  const inputs = { now, counted, at: now, lists, resolved, results: [], dead, unproven, choose: true };
  return decidePrompt(state, { ...settings, prompt, exits }, inputs, (host, record) => live.of(host, record, now));
}

function resolvedAgain(state: StateView, config: NbrpcConfig): readonly ResolvedHost[] {
  return [...state.hosts()].flatMap(({ record, addresses }) => {
    if (addresses.size === 0) return [];
    const { family } = policyOf(record.policy, config.default_policy);
    const newest = newestSeen(addresses.values());
    const answer = [...addresses.values()].filter(({ seen }) => seen === newest).map(({ address }) => address);
    const kept = answer.filter((address) => family === null || address.includes(':') === (family === 6));
    return [{ host: record.name, addresses: kept, answered: true, failure: undefined, junk: [], surplus: 0 }];
  });
}

function flipsOfHost(
  host: string,
  before: StateView,
  after: StateView,
  was: Routes,
  is: Routes,
  supposed: Supposed,
): readonly PlannedFlip[] {
  const [old, now] = [before.host(host), after.host(host)];
  const found = new Map<string, { flip: PlannedFlip; addresses: string[] }>();
  const addresses = new Set([...(old?.addresses.keys() ?? []), ...(now?.addresses.keys() ?? [])]);
  for (const address of [...addresses].sort()) {
    // What DNS brings or what is forgotten is no flip.
    if (old !== undefined && now !== undefined && !(old.addresses.has(address) && now.addresses.has(address))) continue;
    const [from, to] = [was.get(address), is.get(address)];
    if (sameWay(wayOf(from), wayOf(to))) continue;
    const flip = {
      host,
      from: old === undefined ? 'not listed' : wayWords(wayOf(from)),
      to: wayWords(wayOf(to)),
      addresses: [],
      why: whyOf(host, address, old, now, to, supposed),
    };
    const key = JSON.stringify(flip);
    const known = found.get(key);
    if (known === undefined) found.set(key, { flip, addresses: [address] });
    else known.addresses.push(address);
  }
  return [...found.values()].map(({ flip, addresses: all }) => ({ ...flip, addresses: all }));
}

/** What nobody wants anything of goes direct. */
function wayOf(settled: Settled | undefined): Way {
  return settled?.claim.way ?? { kind: 'direct' };
}

function whyOf(
  host: string,
  address: string,
  old: HostEntry | undefined,
  now: HostEntry | undefined,
  to: Settled | undefined,
  { before, after }: Supposed,
): string {
  if (now === undefined) return to === undefined ? 'in no check list any more' : `${to.claim.host} decides now`;
  if (neverRouted(after).has(address)) return 'a resolver or an endpoint of a tunnel: it never enters a set';
  if (to !== undefined && to.claim.host !== host) return `${to.claim.host} decides${ruleText(to)}`;
  if (to?.against !== undefined) return `it decides against ${to.against.host}${ruleText(to)}`;
  if (old === undefined) return 'it is new in the lists';
  const [policyWas, policyIs] = [
    policyText(policyOf(old.record.policy, before.default_policy)),
    policyText(policyOf(now.record.policy, after.default_policy)),
  ];
  if (policyWas !== policyIs) return `its policy: ${policyWas} → ${policyIs}`;
  const [checkWas, checkIs] = [checkText(old), checkText(now)];
  if (checkWas !== checkIs) return `its check: ${checkWas} → ${checkIs}`;
  if (old.record.exit !== now.record.exit || to?.claim.way.kind === 'around') {
    const exit = now.record.exit;
    if (exit === '') return 'no exit works for it';
    if (exit !== undefined) return `it takes exit ${exit}`;
  }
  if (to?.claim.way.kind === 'dropped') return 'when_no_exit = "drop"';
  return now.record.reason === '' ? 'its verdict' : now.record.reason;
}

function ruleText({ by }: Settled): string {
  if (by === 'priority') return ', by its priority';
  return by === 'need' ? ', as a need for the way around counts more' : '';
}

function checkText({ record: { check } }: HostEntry): string {
  return `${check.type}${check.path === '/' ? '' : check.path}${check.result === '' ? '' : `=${check.result}`}`;
}
