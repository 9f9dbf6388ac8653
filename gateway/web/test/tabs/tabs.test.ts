import { expect, test } from 'vitest'

import { LIMITS } from '../../src/client/limits.ts'
import { type TabMessage, Tabs } from '../../src/tabs/tabs.ts'
import { FakeClock } from '../support/fake_clock.ts'
import { TabBus } from '../support/tab_bus.ts'
import { stillWorld, TestPage } from '../support/worlds.ts'

/** A tab with a clock of its own, as a hung one needs; `browser.pass` lets time pass for all that run. */
class TestTab {
  readonly clock = new FakeClock()
  readonly page = new TestPage()
  readonly heard: TabMessage[] = []
  readonly wanted = new Map<string, readonly string[]>()
  readonly cursors: Record<string, string | null> = {}
  hellos = 0
  streams = 0
  isHung = false
  readonly tabs: Tabs
  readonly #line: ReturnType<TabBus['open']>

  constructor(bus: TabBus, key: string, name: string, random: number) {
    this.#line = bus.open()
    const world = stillWorld(this.clock, { page: this.page, channel: this.#line.channel, newKey: () => key }, random)
    this.tabs = new Tabs(name, world, LIMITS, {
      onLead: (isLeading) => (this.streams = isLeading ? 1 : 0),
      onWant: (tab, ids) => this.wanted.set(tab, ids),
      onHello: () => (this.hellos += 1),
      onMessage: (message) => this.heard.push(message),
      cursors: () => this.cursors,
      wants: () => [`job-of-${key}`],
    })
  }

  hang(): void {
    this.isHung = true
    this.#line.freeze()
  }

  thaw(): void {
    this.isHung = false
    this.#line.thaw()
  }
}

class Browser {
  readonly tabs: TestTab[] = []
  readonly #bus = new TabBus()

  open(key: string, name = 'account'): TestTab {
    const tab = new TestTab(this.#bus, key, name, this.tabs.length / 10)
    this.tabs.push(tab)
    tab.tabs.start()
    return tab
  }

  pass(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 10) for (const tab of this.tabs) if (!tab.isHung) tab.clock.pass(10)
  }

  /** The places of the tabs that hold a stream. */
  get leaders(): string {
    return this.tabs.flatMap(({ streams }, place) => (streams ? [place] : [])).join()
  }
}

function four(): Browser {
  const browser = new Browser()
  for (const key of ['c', 'a', 'd', 'b']) {
    browser.open(key)
    browser.pass(300)
  }
  return browser
}

test('four tabs hold one stream, that of the first', () => {
  expect(four().leaders).toBe('0')
})

test('four tabs that are opened in one moment hold one stream after two seconds', () => {
  const browser = new Browser()
  for (const key of ['c', 'a', 'd', 'b']) browser.open(key)

  browser.pass(2_000)

  expect(browser.leaders).toHaveLength(1)
})

test('a leader that is closed is followed within 250 ms', () => {
  const browser = four()

  browser.tabs[0]!.tabs.leave()
  browser.pass(260)

  expect(browser.leaders).toBe('1')
})

test('a tab that waits in the back-forward cache hears nothing, and leads only once it is back', () => {
  const browser = new Browser()
  for (const key of ['a', 'b']) browser.open(key)
  browser.pass(2_000)

  browser.tabs[1]!.tabs.leave()
  browser.pass(2_000)
  browser.tabs[0]!.tabs.leave()
  browser.pass(100_000)
  const whileAway = browser.leaders
  browser.tabs[1]!.tabs.start()
  browser.pass(2_000)

  expect(whileAway).toBe('')
  expect(browser.leaders).toBe('1')
})

test('a leader that hangs is followed within 3.3 s; once it thaws, one of both stops', () => {
  const browser = four()
  const hung = browser.tabs[0]!
  hung.hang()

  browser.pass(1_900)
  expect(browser.leaders).toBe('0')
  browser.pass(1_300)
  expect(browser.leaders).toBe('0,1')
  hung.thaw()
  browser.pass(1_100)

  expect(browser.leaders).toBe('1')
})

test('a visible tab takes over from a hidden one, which goes on until the new stream works', () => {
  const browser = four()
  const [old, next] = browser.tabs as [TestTab, TestTab]
  for (const tab of browser.tabs.slice(2)) tab.page.hidden = true
  old.page.hidden = true
  old.tabs.rankChanged()

  browser.pass(210)
  expect(browser.leaders).toBe('0,1')
  next.tabs.proven()

  expect(browser.leaders).toBe('1')
})

test('hidden tabs wait a minute and a half for a hidden leader, which browsers let run once a minute', () => {
  const browser = four()
  for (const tab of browser.tabs) tab.page.hidden = true
  browser.tabs[0]!.tabs.rankChanged()
  browser.pass(1_000)
  browser.tabs[0]!.hang()

  browser.pass(85_000)
  expect(browser.leaders).toBe('0')
  browser.pass(6_000)

  expect(browser.leaders).toBe('0,1')
})

test('a tab that is shown does not keep the patience of a hidden one', () => {
  const browser = four()
  for (const tab of browser.tabs) tab.page.hidden = true
  browser.tabs[0]!.tabs.rankChanged()
  browser.tabs[0]!.hang()
  browser.tabs[2]!.page.hidden = false
  browser.tabs[2]!.tabs.rankChanged()

  browser.pass(3_300)

  expect(browser.leaders).toBe('0,2')
})

test('the leader learns what every tab wants, and that a closed one wants nothing', () => {
  const browser = four()
  const leader = browser.tabs[0]!
  expect([...leader.wanted].sort()).toEqual([['a', ['job-of-a']], ['b', ['job-of-b']], ['d', ['job-of-d']]])

  browser.tabs[2]!.tabs.leave()

  expect(leader.wanted.get('d')).toEqual([])
})

test('a follower that missed an event asks for what is known', () => {
  const browser = four()
  const [leader, follower] = browser.tabs as [TestTab, TestTab]
  const before = leader.hellos
  follower.cursors['j'] = '1-2'
  leader.cursors['j'] = '1-3'

  browser.pass(1_100)

  expect(leader.hellos).toBeGreaterThan(before)
})

test('two accounts hear nothing of each other', () => {
  const browser = new Browser()
  const [one, other] = [browser.open('a', 'account one'), browser.open('b', 'account two')]
  browser.pass(300)

  one.tabs.relay('j', '1-1', { type: 'started' })

  expect(browser.leaders).toBe('0,1')
  expect(other.heard).toEqual([])
})
