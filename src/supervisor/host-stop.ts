/** What `on_stop` will mean on this machine: one finding a home of sets (pure). */
import type { HostFacts, HostNeeds, OnStopNeed, OwnTableNeed } from '../core/host-facts.ts';
import type { Finding } from '../core/module.ts';
import { ok, warning } from './finding.ts';
import { knowsOwner, knowsPersist } from './table-flags.ts';

export function judgeStop(facts: HostFacts, { ownTables, sets }: HostNeeds): readonly Finding[] {
  return [...ownTables.flatMap((table) => judgeTable(facts, table)), ...judgeSets(sets)];
}

const said = (onStop: OnStopNeed): string => `on_stop = "${onStop}"`;

function judgeTable(
  { nftVersion, kernel }: HostFacts,
  { family, name, onStop, guard, use }: OwnTableNeed,
): readonly Finding[] {
  const gone = withoutTable(use, guard);
  const table = `the table ${family} ${name}`;
  if (onStop === 'flush') return [ok(`${said(onStop)}: when netsteward stops ${table} goes, and ${gone}`)];
  // Without nft nothing works, which is said elsewhere.
  if (!nftVersion.ok) return [];
  const versions = { kernel: kernel.release, nft: nftVersion.value };
  if (knowsPersist(versions)) {
    return [
      ok(
        `${said(onStop)}: ${table} has the flags owner, persist: it stays as it is when netsteward stops, until others flush it or netsteward takes it back`,
      ),
    ];
  }
  if (knowsOwner(versions)) {
    return [
      warning(
        `${said(onStop)} cannot hold here: ${table} has the flag owner alone, so the kernel removes it when netsteward stops, and ${gone} until it starts again`,
        'Linux 6.9 with nft 1.0.9 keeps it (flags persist), what is in a ruleset of your own ([nbrpc.sets], cgroup-nft.files) stays too; on_stop = "flush" says what happens.',
      ),
    ];
  }
  return [
    ok(
      `${said(onStop)}: ${table} has no owner: it stays as it is when netsteward stops, and a flush by others empties it until netsteward starts again`,
    ),
  ];
}

function withoutTable(use: OwnTableNeed['use'], guard: OwnTableNeed['guard']): string {
  if (use === 'units') return 'no packet of a unit is marked';
  if (guard === undefined) return 'everything goes direct';
  return `what ${guard.interfaces.join(', ')} sends elsewhere is dropped (while_down = "drop")`;
}

function judgeSets([first]: HostNeeds['sets']): readonly Finding[] {
  if (first === undefined) return [];
  const { family, table, onStop } = first;
  const sets = `the sets of table ${family} ${table}`;
  if (onStop === 'flush') return [ok(`${said(onStop)}: when netsteward stops ${sets} become empty`)];
  return [
    ok(
      `${said(onStop)}: ${sets} stay as they are when netsteward stops; a reload of the ruleset then empties them until it starts again`,
    ),
  ];
}
