/** The gates of this machine's own side, as the configuration says. */
import type { Resolver } from '../system/ports.ts';
import { believable } from '../system/resolver-word.ts';
import type { CheckSource } from './checker.ts';
import type { NbrpcConfig } from './config.ts';
import { OwnSideGates } from './own-side.ts';
import type { NbrpcHost } from './ports.ts';

export function ownSideGates(
  { uplink, resolverWord }: Pick<NbrpcHost, 'uplink' | 'resolverWord'>,
  { control, resolver: asked }: Pick<NbrpcConfig, 'control' | 'resolver'>,
  resolver: Resolver,
  checks: CheckSource,
): OwnSideGates {
  const servers = asked.servers?.map(({ address }) => address);
  return new OwnSideGates(
    { uplink, resolver, checks, believable: () => believable(resolverWord?.words() ?? [], servers) },
    { uplink: control.uplink, services: control.services, resolveTimeout: asked.timeout },
  );
}
