#!/usr/bin/env node
// `node tools/run.mjs <command> [args...]` runs a command of this workspace under the pinned Node, with the pinned pnpm and every
// locked dependency in place; what is missing or stale is installed first. Needs some Node >= 18 with npm, and nothing else.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const stampFile = join(modules, '.bm-installed')
const lockDir = join(root, '.bm-install.lock')
const shell = process.platform === 'win32'
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
env.PATH = join(modules, '.bin') + delimiter + (process.env.PATH ?? '')
// `npm test` exports npm's own settings to its scripts; they would reach pnpm and nested npm calls.
for (const key of Object.keys(env)) if (/^npm_(config|package|lifecycle)_/i.test(key)) delete env[key]

/** What the install depends on: manifests, workspace settings, lockfile, platform. */
function wanted() {
  const files = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml']
  for (const group of ['packages', 'tools', 'examples'])
    for (const name of readdirSync(join(root, group)).sort()) files.push(join(group, name, 'package.json'))
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`)
  for (const file of files) if (existsSync(join(root, file))) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

function install() {
  // A node_modules that npm or yarn made (someone ran `npm install`) is not one pnpm can build on.
  if (existsSync(modules) && !existsSync(join(modules, '.modules.yaml'))) rmSync(modules, { recursive: true })
  const pnpm = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager.split('+')[0]
  const args = `exec --yes --package=${pnpm} -- pnpm install --frozen-lockfile --reporter=append-only`.split(' ')
  console.error(`[run] installing: npm ${args.join(' ')}`)
  const done = spawnSync('npm', args, { cwd: root, env, stdio: ['ignore', 2, 2], shell })
  if (done.status !== 0) throw new Error(`install failed: ${done.error?.message ?? done.status ?? done.signal}`)
  writeFileSync(stampFile, wanted())
}

const until = Date.now() + 600_000
while (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wanted()) {
  try {
    mkdirSync(lockDir)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (Date.now() > until) throw new Error(`${lockDir} is held by another install; remove it if that one is dead`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    continue
  }
  try {
    install()
  } finally {
    rmSync(lockDir, { recursive: true, force: true })
  }
}
const [command = 'node', ...args] = process.argv.slice(2)
const child = spawn(command, args, { env, stdio: 'inherit', shell })
// A terminal sends Ctrl-C to every process at once; a supervisor signals only this one, so pass it on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
process.on('SIGINT', () => {})
child.on('error', (error) => {
  console.error(`[run] ${command}: ${error.message}`)
  process.exit(2)
})
child.on('exit', (status, signal) => process.exit(status ?? 128 + constants.signals[signal]))
