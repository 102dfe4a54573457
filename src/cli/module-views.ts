/** How `netsteward status` shows each module's own picture. */
import type { CgroupNftDetail } from '../cgroup-nft/index.ts';
import type { ModuleName } from '../core/module.ts';
import type { DnstestDetail } from '../dnstest/index.ts';
import type { DyndnsDetail } from '../dyndns/index.ts';
import type { RunningDetail } from '../nbrpc/index.ts';
import { renderCgroupNft } from './cgroup-nft-view.ts';
import { renderDnstest } from './dnstest-view.ts';
import { renderDyndns } from './dyndns-view.ts';
import { renderNbrpc } from './nbrpc-view.ts';

type View = (detail: unknown, now: number) => readonly string[];

/** One line a module; one without a line shows its summary alone. */
const views: Partial<Readonly<Record<ModuleName, View>>> = {
  nbrpc: (detail, now) => renderNbrpc(detail as RunningDetail, now),
  'cgroup-nft': (detail, now) => renderCgroupNft(detail as CgroupNftDetail, now),
  dyndns: (detail, now) => renderDyndns(detail as DyndnsDetail, now),
  dnstest: (detail, now) => renderDnstest(detail as DnstestDetail, now),
};

/** No lines where the picture is not of the shape that this version knows: then the module's summary has to do. */
export function renderDetail(name: ModuleName, detail: unknown, now: number): readonly string[] {
  // The name and the picture come from a socket.
  if (!Object.hasOwn(views, name)) return [];
  try {
    return views[name]?.(detail, now) ?? [];
  } catch {
    return [];
  }
}
