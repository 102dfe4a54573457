/** The stories of bench/reaction under the prompt schedule, in virtual time. */
import { type ExitViews, seen } from '../src/nbrpc/exit-choice.ts';
import { wanted } from '../src/nbrpc/policy.ts';
import type { Policy } from '../src/nbrpc/policy-spec.ts';
import {
  type PromptState,
  promptState,
  type Route,
  step,
  triOfPrompt,
  verdictOf,
} from '../src/nbrpc/prompt/address.ts';
import { Agenda } from '../src/nbrpc/prompt/agenda.ts';
import { Heap } from '../src/nbrpc/prompt/heap.ts';
import { placeOf } from '../src/nbrpc/prompt/interval.ts';
import { type Plan, planOf } from '../src/nbrpc/prompt/plan.ts';
import type { PromptSettings } from '../src/nbrpc/prompt/settings.ts';
import type { Record } from './_reaction-record.ts';
import { addressesOfHost, end, type World } from './_reaction-stories.ts';

interface Result {
  readonly index: number;
  readonly route: Route;
  readonly ok: boolean;
}

interface Asked {
  state: PromptState;
  exits: ExitViews;
  /** Seconds: when it was last asked through the exit. */
  exitAsked: number;
  /** Under way. */
  direct: boolean;
  exit: boolean;
}

/** The one exit of every host: it fails when the host has an outage of its own, and by chance. */
const exit = 'exit';

export interface Treatment {
  readonly settings: PromptSettings;
  /** Where it is written down what came of the host, and under which number. */
  readonly record: Record;
  readonly as: number;
}

export function runPrompt(hosts: number, world: World, policy: Policy, treatmentOf: (host: number) => Treatment): void {
  const treatments = Array.from({ length: hosts }, (_, host) => treatmentOf(host));
  const agenda = new Agenda<number>();
  const results = new Heap<Result>();
  // As after a restart: all were asked before, and nothing is known against any.
  const all: Asked[] = Array.from({ length: hosts * addressesOfHost }, (_, index) => {
    const [host, address] = placed(index);
    const state = promptState(placeOf(`host${host}.example`, `192.0.2.${address}`), 0, 'works');
    return { state, exits: {}, exitAsked: 0, direct: false, exit: false };
  });

  /** Addresses of each host. */
  const blocked = new Uint8Array(hosts);

  /** What can be asked now or later: nothing of a route that is being asked. */
  const planned = (index: number): Plan | undefined => {
    const asked = all[index];
    const [host] = placed(index);
    const treatment = treatments[host];
    if (asked === undefined || treatment === undefined) return undefined;
    const around = {
      exits: [exit],
      current: exit,
      blocked: blocked[host] ?? 0,
      exitsAsked: asked.exitAsked,
      newcomers: 0,
    };
    const plan = planOf(asked, around, treatment.settings);
    return {
      ...plan,
      direct: asked.direct ? Number.POSITIVE_INFINITY : plan.direct,
      exits: asked.exit ? null : plan.exits,
    };
  };
  const plan = (index: number): void => {
    const next = planned(index);
    if (next === undefined) return;
    const at = Math.min(next.direct, next.exits?.at ?? Number.POSITIVE_INFINITY);
    if (at === Number.POSITIVE_INFINITY) agenda.drop(index);
    else agenda.put(index, { at, pressing: next.pressing, interval: next.interval });
  };
  const ask = (index: number, route: Route, at: number, pressing: boolean): void => {
    const asked = all[index];
    const [host, address] = placed(index);
    if (asked === undefined) return;
    asked[route] = true;
    if (route === 'exit') asked.exitAsked = at;
    treatments[host]?.record.request(at, pressing);
    const { ok, took } = world.check(host, address, route, at);
    results.push(at + took, { index, route, ok });
  };
  const told = ({ index, route, ok }: Result, at: number): void => {
    const asked = all[index];
    const [host] = placed(index);
    const treatment = treatments[host];
    if (asked === undefined || treatment === undefined) return;
    const { settings, record, as } = treatment;
    asked[route] = false;
    const before = verdictOf(asked.state);
    asked.state = step(asked.state, { kind: 'checked', route, outcome: ok ? 'ok' : 'fail', at }, settings);
    if (route === 'exit') asked.exits = { [exit]: seen(asked.exits[exit], ok, '', at) };
    if (verdictOf(asked.state) === before) {
      plan(index);
      return;
    }
    blocked[host] = addressesOf(all, host).filter(({ state }) => verdictOf(state) === 'blocked').length;
    record.route(as, isRerouted(addressesOf(all, host), policy), at);
    // How often the exit is asked for an address depends on how many of the host's are blocked.
    for (let each = 0; each < addressesOfHost; each++) plan(host * addressesOfHost + each);
  };

  for (let index = 0; index < all.length; index++) plan(index);
  for (;;) {
    const result = results.peek();
    const next = agenda.peek();
    const at = Math.min(result?.at ?? end, next?.at ?? end);
    if (at >= end) return;
    if (result !== undefined && result.at <= at) {
      results.pop();
      told(result.item, at);
      continue;
    }
    agenda.take();
    const due = next === undefined ? undefined : planned(next.key);
    if (next === undefined || due === undefined) continue;
    if (due.direct <= at) ask(next.key, 'direct', at, due.pressing);
    if (due.exits !== null && due.exits.at <= at) ask(next.key, 'exit', at, due.pressing);
    // Else its result is waited for.
    if (due.exits !== null) plan(next.key);
  }
}

function placed(index: number): readonly [host: number, address: number] {
  return [Math.floor(index / addressesOfHost), index % addressesOfHost];
}

function addressesOf(all: readonly Asked[], host: number): readonly Asked[] {
  return all.slice(host * addressesOfHost, (host + 1) * addressesOfHost);
}

function isRerouted(asked: readonly Asked[], policy: Policy): boolean {
  const votes = asked.map(({ state }, i) => ({ address: `192.0.2.${i}`, newest: true, tri: triOfPrompt(state) }));
  return wanted(policy, votes) === false;
}
