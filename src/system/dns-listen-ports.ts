/** The system as the test zone's server sees it: DNS messages that come in, and what is sent back for each. */

export interface DnsBinding {
  /** Numeric; `::` takes both families where net.ipv6.bindv6only is 0. */
  readonly address: string;
  /** 0: any that is free, the same for UDP and TCP. */
  readonly port: number;
}

export interface DnsListener {
  /** What is sent back; undefined: nothing. Must not throw. The bytes are the listener's only until it returns. */
  answer(message: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array | undefined;
  /** A socket is closed and hears nothing any more. */
  failed(error: Error): void;
}

export interface TcpLimits {
  /** Connections at a time on one binding. One more ends the one that has been idle for longest. */
  readonly connections: number;
  /** Milliseconds in which a connection must bring a whole message, and take its answers. */
  readonly idle: number;
}

export interface DnsListening {
  /** Where it listens, such as `[::]:53`. */
  readonly local: string;
  /** Idempotent; ends all connections. */
  close(): Promise<void>;
}

export interface DnsListeners {
  /** UDP and TCP at one address. Rejects with NetstewardError `dns-not-bound`; then neither listens. */
  open(binding: DnsBinding, listener: DnsListener, limits: TcpLimits): Promise<DnsListening>;
}

/** Ports that need a right: those below `first` (ip-sysctl.rst, ip_unprivileged_port_start), with CAP_NET_BIND_SERVICE. */
export interface LowPorts {
  readonly first: number;
  /** Whether this process has the right. */
  readonly may: boolean;
  /** Whether netsteward.service gives it; undefined: there is no such unit. */
  readonly unitMay: boolean | undefined;
}
