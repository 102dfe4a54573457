/** DnsListeners that listen nowhere; a binding with port 1 is refused. */
import { NetstewardError } from '../../src/core/errors.ts';
import type { DnsBinding, DnsListener, DnsListeners, DnsListening } from '../../src/system/dns-listen-ports.ts';

export class FakeDnsListeners implements DnsListeners {
  readonly opened: { readonly binding: DnsBinding; readonly listener: DnsListener; closed: boolean }[] = [];

  /** Those that are open now, rising. */
  openPorts(): readonly number[] {
    return this.opened.flatMap(({ binding, closed }) => (closed ? [] : [binding.port])).sort((a, b) => a - b);
  }

  async open(binding: DnsBinding, listener: DnsListener): Promise<DnsListening> {
    if (binding.port === 1) throw new NetstewardError('dns-not-bound', 'cannot listen');
    const listening = { binding, listener, closed: false };
    this.opened.push(listening);
    return {
      local: `${binding.address}:${binding.port}`,
      close: async () => {
        listening.closed = true;
      },
    };
  }
}
