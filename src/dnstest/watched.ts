/** From the configuration to resolvers under watch, each with its prober, guard and cures. */
import type { DnstestConfig, ResolverConfig } from './config.ts';
import { curesOf } from './configured-cures.ts';
import { shareOf } from './continuous.ts';
import { guardTime, networkState } from './guard.ts';
import { readHostPort } from './host-port.ts';
import { NameHash } from './name-hash.ts';
import { readNameTemplate } from './name-template.ts';
import type { DnsWatchPorts } from './ports.ts';
import { Prober, type ProberOptions, questionTimeout } from './prober.ts';
import { labelOf, type ResolverChoice, readResolver } from './transport-address.ts';
import type { Watched } from './watches.ts';

/** `config` is what parse() gave; anything else throws. */
export function watchedResolvers(config: DnstestConfig, ports: DnsWatchPorts): readonly Watched[] {
  return config.resolver.map((resolver) => watchedResolver(config, resolver, ports));
}

function watchedResolver(config: DnstestConfig, resolver: ResolverConfig, ports: DnsWatchPorts): Watched {
  const { interval, retries, timeout, rest, longest_rest: longestRest, calm, grace } = config;
  const { address } = resolver;
  const prober = new Prober(proberOptions(config, address), ports);
  const { uplink, ping, tcp, timeout: guardTimeout } = config.guard;
  const guard = { uplink, ping, tcp: tcp.flatMap((text) => readHostPort(text) ?? []), timeout: guardTimeout };
  const { commands, switches } = ports;
  const cures = curesOf(resolver);
  const share = shareOf(config, cures.length);
  return {
    label: labelOf(address),
    settings: { interval, retries, timeout, share, guard: guardTime(guard, share), rest, longestRest, calm, grace },
    cures,
    ports: {
      commands,
      switches,
      check: (signal, within) => prober.check(signal, within),
      checkOther: (other, signal) => new Prober(proberOptions(config, other), ports).check(signal),
      network: (signal, within) => networkState(guard, ports, signal, within),
    },
  };
}

function proberOptions(config: DnstestConfig, address: string): ProberOptions {
  const choice = choiceOf(address);
  const name = readNameTemplate(config.name ?? '');
  if (name.problem !== undefined) throw new Error(name.problem);
  return {
    resolver: choice,
    template: name.template,
    family: config.query === 'A' ? 4 : 6,
    hash: new NameHash(config.hash_key),
    oldHashes: config.old_keys.map((key) => new NameHash(key)),
    any: config.any,
    mixedCase: config.mixed_case,
    timeout: questionTimeout(choice, config.check_timeout),
    slow: config.slow,
    control: controlOf(config.control),
  };
}

function controlOf(address: string | undefined): ProberOptions['control'] {
  const choice = address === undefined ? undefined : choiceOf(address);
  return choice?.kind === 'server' ? choice.server : undefined;
}

function choiceOf(address: string): ResolverChoice {
  const read = readResolver(address);
  if (read.problem !== undefined) throw new Error(read.problem);
  return read.choice;
}
