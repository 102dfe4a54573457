/** How `netsteward status` shows cgroup-nft: what is in the ruleset, since when, how much ahead of its process (pure). */
import type { CgroupNftDetail, UnitEntry } from '../cgroup-nft/index.ts';
import { unitOfDirectory } from '../cgroup-nft/unit-name.ts';
import { formatDuration } from '../core/duration.ts';

const homes: Readonly<Record<NonNullable<CgroupNftDetail['table']>, string>> = {
  'owner-persist': '(flags owner, persist)',
  owner: '(flag owner)',
  plain: '(without owner)',
};

const journals: Readonly<Record<CgroupNftDetail['journal'], string>> = {
  read: 'cgroups and journal',
  lost: 'cgroups (the journal cannot be read)',
  unused: 'cgroups',
};

export function renderCgroupNft(detail: CgroupNftDetail, now: number): readonly string[] {
  const { entries, more, waiting, remarks = [], table, tableName, watches, journal } = detail;
  const home = table === null ? '' : `own table inet ${tableName} ${homes[table]}; `;
  const lines = [`${home}watches ${journals[journal]}, ${watches} director${watches === 1 ? 'y' : 'ies'}`];
  lines.push(...entries.flatMap((entry) => renderEntry(entry, now)));
  if (more > 0) lines.push(`… and ${more} more`);
  if (waiting.length > 0) lines.push('waits for its cgroup:', ...waiting.map((one) => `  ${one}`));
  if (remarks.length > 0) lines.push('comments that look like rules:', ...remarks.map((one) => `  ${one}`));
  return lines;
}

function renderEntry(entry: UnitEntry, now: number): readonly string[] {
  const { path, id, groups, rules, lacking, margin, counters } = entry;
  const unit = unitOfDirectory(path.slice(path.lastIndexOf('/') + 1));
  const counted = new Map(counters.map((counter) => [counter.of, counterText(counter)]));
  const parts = [...groups.map((group) => `group ${group}`), ...rules];
  return [
    `${unit}: ${path} (id ${id}), ${ageText(entry, now)}${marginText(margin)}`,
    ...parts.map((part) => {
      const count = counted.get(part);
      return `  ${part}${lacking.includes(part) ? ': NOT in force' : ''}${count === undefined ? '' : `: ${count}`}`;
    }),
  ];
}

export function ageText({ since }: UnitEntry, now: number): string {
  return since === null ? 'not applied yet' : `applied for ${formatDuration(Math.max(0, now - since))}`;
}

/** `15 packets, 900 bytes` */
export function counterText({ packets, bytes }: { readonly packets: number; readonly bytes: number }): string {
  return `${packets} packet${packets === 1 ? '' : 's'}, ${bytes} byte${bytes === 1 ? '' : 's'}`;
}

export function marginText(margin: number | null): string {
  if (margin === null) return '';
  const time = `${Math.abs(margin).toFixed(1)} ms`;
  return margin >= 0 ? `, ${time} before its process began` : `, ${time} AFTER its process had begun`;
}
