/** What a test needs of the machine and may not find there. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Places to look at, the first that exists wins, and how to come by it. */
const wanted = {
  chromium: {
    places: [process.env['FOVEA_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    hint: 'apt-get install chromium, or name one in FOVEA_CHROMIUM',
  },
  native: {
    places: [process.env['FOVEA_NATIVE_ADDON'] || 'native/build/fovea.node'],
    hint: 'npm run native, with apt-get install g++ libdnnl-dev',
  },
  mnist: {
    places: [process.env['FOVEA_DATA'], '../shared/datasets'].map((folder) => folder && join(folder, 'mnist')),
    hint: 'name the folder above mnist/ in FOVEA_DATA',
  },
  pictures: {
    places: [process.env['FOVEA_DATA'], '../shared/datasets'].map((folder) => folder && join(folder, 'files')),
    hint: 'name the folder above files/ in FOVEA_DATA',
  },
}

/** Where the thing is, or why a test of it is skipped: give `skip` to `test(name, { skip }, ...)`. */
export type Available = { readonly path: string; readonly skip: false } | { readonly path: ''; readonly skip: string }

/** Looks for a thing; where FOVEA_REQUIRE (a comma-separated list) names it, its absence is a failure and no skip. */
export function available(name: keyof typeof wanted): Available {
  const { places, hint } = wanted[name]
  const path = places.find((place) => place && existsSync(place))
  if (path) return { path, skip: false }
  const reason = `NO ${name.toUpperCase()} HERE, NOT TESTED (${hint}; FOVEA_REQUIRE=${name} makes this a failure)`
  assert.ok(!process.env['FOVEA_REQUIRE']?.split(',').includes(name), reason)
  return { path: '', skip: reason }
}
