/** The DnsListeners port: UDP and TCP at one address, both or neither. */
import type { DnsBinding, DnsListener, DnsListeners, DnsListening, TcpLimits } from '../dns-listen-ports.ts';
import { listenTcp } from './dns-listen-tcp.ts';
import { listenUdp } from './dns-listen-udp.ts';
import { bindingText } from './dns-not-bound.ts';

export class LinuxDnsListeners implements DnsListeners {
  async open(binding: DnsBinding, listener: DnsListener, limits: TcpLimits): Promise<DnsListening> {
    const udp = await listenUdp(binding, listener);
    const bound = { address: binding.address, port: udp.port };
    try {
      const tcp = await listenTcp(bound, listener, limits);
      return {
        local: bindingText(bound),
        close: async () => {
          await Promise.all([udp.close(), tcp.close()]);
        },
      };
    } catch (error) {
      await udp.close();
      throw error;
    }
  }
}
