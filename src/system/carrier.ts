/** The port between the supervisor and a module that runs elsewhere (a process, a thread): messages both ways, in order. */
//
// A message is whatever the structured clone algorithm takes (HTML, "StructuredSerialize"): undefined, Infinity, bigint, Date,
// RegExp, Map and Set arrive as they are; functions do not cross, and objects of a class arrive without their class.

export interface CarrierListener {
  /** Not checked: what a process sends may be anything. */
  message(message: unknown): void;
  /** One line that the module's side wrote for people (a stack, a warning of Node's). */
  complaint(text: string): void;
  /** Once, at last; nothing comes after it. `reason` says how the module's side ended. */
  closed(reason: Error): void;
}

/** The supervisor's side. */
export interface Carrier {
  /** Silent when the other side is gone. Throws a DataCloneError for what cannot cross. */
  send(message: unknown): void;
  /** Ends the other side at once, whatever it does; `closed` follows. */
  kill(): void;
}

/** Begins the module's side. What goes wrong later is told by `closed`. */
export type OpenCarrier = (listener: CarrierListener) => Carrier;

export interface LinkListener {
  message(message: unknown): void;
  /** The supervisor is gone without a word. */
  gone(): void;
  /** Memory is nearly used up. */
  failing(error: Error): void;
  /** What nobody has caught: nothing is known any more of what runs here. */
  uncaught(error: unknown): void;
}

/** The module's side. */
export interface ModuleLink {
  /** Silent when the supervisor is gone. Throws a DataCloneError for what cannot cross. */
  send(message: unknown): void;
  /** To be called once; messages that came before are kept until then. */
  receive(listener: LinkListener): void;
  /** Ends this process or thread after all that was sent has gone out. */
  close(exitCode: number): void;
}
