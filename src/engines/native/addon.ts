/** The native addon: what it offers, or why it is not here. */
import { loadAddon } from '#platform'

/** What the addon says of itself and of the machine. */
export interface AddonInfo {
  /** The version of oneDNN that was found: `2.6.3`. */
  readonly onednn: string
  /** The instruction sets that its kernels may use here: `AVX2`, `AVX-512`, `AVX-512, AMX`. */
  readonly isa: string
  /** What compiled it: `g++ 12.2.0`. */
  readonly compiler: string
  /** The threads that OpenMP takes when nobody says how many. */
  readonly threads: number
}

export interface Addon {
  info(): AddonInfo
}

/** The addon, or why it cannot be had here. */
export function findAddon(): { readonly addon: Addon } | { readonly missing: string } {
  const loaded = loadAddon()
  return 'addon' in loaded ? { addon: loaded.addon as Addon } : loaded // the border to C++
}

/** Why there is no native engine here, or undefined where there is. */
export function missingAddon(): string | undefined {
  const found = findAddon()
  return 'missing' in found ? found.missing : undefined
}

/** What the engine runs on, for people: `oneDNN 2.6.3, AVX-512, AMX, 2 threads`. */
export function describeAddon({ onednn, isa }: AddonInfo, threads: number): string {
  return `oneDNN ${onednn}, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
