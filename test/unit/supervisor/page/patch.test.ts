/** Patches of the present: whoever applies each to what it had has what the server has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { patchBetween, wholePatch } from '../../../../src/supervisor/page/patch.ts';
import type { ListPatch, PageState, StatePatch } from '../../../../src/supervisor/page/shapes.ts';
import { pageState } from '../../../../src/supervisor/page/state.ts';
import { quietReport } from '../../../fakes/quiet-report.ts';

const empty = pageState(quietReport, { reading: 'open', check: 'off', why: '' });

type Row = { readonly id: string };

/** As the browser does. */
function applied(state: PageState | undefined, patch: StatePatch): PageState {
  const result: Record<string, unknown> = { ...(patch.full ? {} : state) };
  for (const [key, value] of Object.entries(patch)) {
    if (key === 'full') continue;
    result[key] = isList(value) ? list(patch.full ? [] : (result[key] as readonly Row[]), value) : value;
  }
  return result as unknown as PageState;
}

const isList = (value: unknown): value is ListPatch<Row> =>
  typeof value === 'object' && value !== null && 'put' in value && 'gone' in value;

function list(rows: readonly Row[], { put, gone, order }: ListPatch<Row>): readonly Row[] {
  const known = new Map(rows.map((row) => [row.id, row]));
  for (const id of gone) known.delete(id);
  for (const row of put) known.set(row.id, row);
  return order === undefined ? [...known.values()] : order.flatMap((id) => known.get(id) ?? []);
}

const moduleRow = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', '__proto__'),
  state: fc.constantFrom('running', 'waiting'),
  since: fc.nat(2),
  restarts: fc.nat(2),
  lastError: fc.option(fc.constantFrom('x', '<b>')),
  summary: fc.constantFrom('', 's'),
});

const states = fc.array(
  fc
    .record({
      modules: fc.uniqueArray(moduleRow, { selector: ({ id }) => id }),
      cgroupNft: fc.option(fc.record({ more: fc.nat(2), waiting: fc.constant([]), table: fc.constant('t') })),
    })
    .map((changed) => ({ ...empty, ...changed }) as unknown as PageState),
  { minLength: 1 },
);

test('the whole first and then what has changed give the present at each step', () => {
  fc.assert(
    fc.property(states, (all) => {
      let mine: PageState | undefined;
      let before: PageState | undefined;
      for (const state of all) {
        const patch = before === undefined ? wholePatch(state) : patchBetween(before, state);
        if (patch !== undefined) mine = applied(mine, JSON.parse(JSON.stringify(patch)) as StatePatch);
        assert.deepEqual(mine, JSON.parse(JSON.stringify(state)));
        before = state;
      }
    }),
  );
});

test('a present in which nothing but the time has changed is no patch', () => {
  assert.equal(patchBetween(empty, { ...empty, at: 99 }), undefined);
});
