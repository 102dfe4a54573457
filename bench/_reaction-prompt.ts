/** The stories of bench/reaction under the prompt schedule, in virtual time. */
import { wanted } from '../src/nbrpc/policy.ts';
import type { Policy } from '../src/nbrpc/policy-spec.ts';
import {
  dueTimes,
  type PromptState,
  promptState,
  type Route,
  regularInterval,
  step,
  triOfPrompt,
  verdictOf,
} from '../src/nbrpc/prompt/address.ts';
import { Agenda } from '../src/nbrpc/prompt/agenda.ts';
import { Heap } from '../src/nbrpc/prompt/heap.ts';
import { placeOf } from '../src/nbrpc/prompt/interval.ts';
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
  direct: boolean;
  exit: boolean;
}

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
  const all: Asked[] = Array.from({ length: hosts * addressesOfHost }, (_, index) => {
    const [host, address] = placed(index);
    const state = promptState(placeOf(`host${host}.example`, `192.0.2.${address}`), 0);
    return { state, direct: false, exit: false };
  });

  const plan = (index: number): void => {
    const asked = all[index];
    const treatment = treatments[placed(index)[0]];
    if (asked === undefined || treatment === undefined) return;
    const { settings } = treatment;
    const due = dueTimes(asked.state, settings);
    const direct = asked.direct ? Number.POSITIVE_INFINITY : due.direct;
    const exit = asked.exit || due.exit === null ? Number.POSITIVE_INFINITY : due.exit;
    const at = Math.min(direct, exit);
    if (at < Number.POSITIVE_INFINITY) {
      agenda.put(index, { at, pressing: due.pressing, interval: regularInterval(asked.state, settings) });
    }
  };
  const ask = (index: number, route: Route, at: number, pressing: boolean): void => {
    const asked = all[index];
    const [host, address] = placed(index);
    if (asked === undefined) return;
    asked[route] = true;
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
    if (verdictOf(asked.state) !== before) {
      record.route(as, isRerouted(all, host, policy), at);
    }
    plan(index);
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
    const asked = next === undefined ? undefined : all[next.key];
    const treatment = next === undefined ? undefined : treatments[placed(next.key)[0]];
    if (asked === undefined || next === undefined || treatment === undefined) continue;
    const due = dueTimes(asked.state, treatment.settings);
    if (!asked.direct && due.direct <= at) ask(next.key, 'direct', at, due.pressing);
    if (!asked.exit && due.exit !== null && due.exit <= at) ask(next.key, 'exit', at, due.pressing);
  }
}

function placed(index: number): readonly [host: number, address: number] {
  return [Math.floor(index / addressesOfHost), index % addressesOfHost];
}

function isRerouted(all: readonly Asked[], host: number, policy: Policy): boolean {
  const asked = all.slice(host * addressesOfHost, (host + 1) * addressesOfHost);
  const votes = asked.map(({ state }, i) => ({ address: `192.0.2.${i}`, newest: true, tri: triOfPrompt(state) }));
  return wanted(policy, votes) === false;
}
