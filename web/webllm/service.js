// The engine in a service worker, or behind the port of an extension's.

import { NonWorkerEnvironmentError, NoServiceWorkerAPIError, ServiceWorkerInitializationError } from './errors.js';
import { WebWorkerMLCEngine, WebWorkerMLCEngineHandler, withModel } from './remote.js';

/** @typedef {import('./engine.js').MLCEngineConfig} MLCEngineConfig */
/** @typedef {import('./config.js').ChatOptions} ChatOptions */

/** Sends keepAlive from now, or the next loading, until unload(): browsers end service workers that are idle. */
class KeptAlive extends WebWorkerMLCEngine {
  missedHeartbeat = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #ms = 0;

  /** @param {number} [ms] */
  keepAlive(ms = this.#ms) {
    this.letGo();
    this.#ms = ms;
    this.#timer = setInterval(() => {
      this.missedHeartbeat++;
      this.worker.postMessage({ kind: 'keepAlive', uuid: crypto.randomUUID() });
    }, ms);
  }

  letGo() {
    clearInterval(this.#timer);
  }

  /** @param {string | string[]} modelId @param {ChatOptions | ChatOptions[]} [chatOpts] */
  async reload(modelId, chatOpts) {
    this.keepAlive();
    return super.reload(modelId, chatOpts);
  }

  async unload() {
    this.letGo();
    return super.unload();
  }
}

/** Create it while the service worker's script is evaluated: listeners added later miss messages. */
export class ServiceWorkerMLCEngineHandler extends WebWorkerMLCEngineHandler {
  /** @type {Map<string, Client>} who asked, by call */
  #askers = new Map();
  /** @type {Map<string, Client>} who wants to know how loading goes, by the client's id: each message brings an object of its own */
  #loaders = new Map();

  constructor() {
    if (!('ServiceWorkerGlobalScope' in globalThis)) throw new NonWorkerEnvironmentError('ServiceWorkerMLCEngineHandler');
    super();
    addEventListener('message', (event) => {
      const { data, source } = /** @type {ExtendableMessageEvent} */ (/** @type {unknown} */ (event));
      if (typeof data?.uuid !== 'string' || !source) return;
      const client = /** @type {Client} */ (source);
      if (data.kind !== 'abort') this.#askers.set(data.uuid, client);
      if (data.kind === 'reload' || data.expected) this.#loaders.set(client.id, client);
      const done = () => this.#askers.delete(data.uuid);
      /** @type {ExtendableMessageEvent} */ (/** @type {unknown} */ (event)).waitUntil(
        new Promise((resolve) => (data.kind === 'abort' ? (this.onmessage(data), resolve(undefined)) : this.onmessage(data, () => (done(), resolve(undefined)), () => (done(), resolve(undefined))))),
      );
    });
  }

  /** @param {any} message */
  postMessage(message) {
    const asker = this.#askers.get(message.uuid);
    if (asker) asker.postMessage(message);
    else if (message.kind === 'initProgressCallback') for (const client of this.#loaders.values()) client.postMessage(message);
    else if (message.kind === 'heartbeat') for (const client of new Map([...this.#askers.values()].map((c) => [c.id, c])).values()) client.postMessage(message);
  }
}

/** @typedef {import('./remote.js').ChatWorker} ChatWorker */

/** The service worker of this page, as a worker. @implements {ChatWorker} */
class PageServiceWorker {
  /** @type {any} */
  #onmessage = null;

  constructor() {
    navigator.serviceWorker.addEventListener('message', (event) => this.#onmessage?.(event));
    navigator.serviceWorker.startMessages();
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    this.#onmessage = handler;
  }

  /** @param {any} message */
  postMessage(message) {
    const { controller } = navigator.serviceWorker;
    if (controller) controller.postMessage(message);
    else void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage(message));
  }
}

export class ServiceWorkerMLCEngine extends KeptAlive {
  /** @param {MLCEngineConfig} [config] @param {number} [keepAliveMs] */
  constructor(config, keepAliveMs = 10000) {
    if (!('serviceWorker' in navigator)) throw new NoServiceWorkerAPIError();
    super(new PageServiceWorker(), config);
    this.keepAlive(keepAliveMs);
  }

  /** @param {any} event */
  onmessage(event) {
    if (event.data?.kind === 'heartbeat') this.missedHeartbeat = 0;
    else super.onmessage(event);
  }
}

/**
 * @param {string | string[]} modelId @param {MLCEngineConfig} [engineConfig] @param {ChatOptions | ChatOptions[]} [chatOpts] @param {number} [keepAliveMs]
 * @returns {Promise<ServiceWorkerMLCEngine>}
 */
export async function CreateServiceWorkerMLCEngine(modelId, engineConfig, chatOpts, keepAliveMs = 10000) {
  if (!('serviceWorker' in navigator)) throw new NoServiceWorkerAPIError();
  const registration = await navigator.serviceWorker.ready;
  if (!(registration.active ?? navigator.serviceWorker.controller)) throw new ServiceWorkerInitializationError();
  return withModel(new ServiceWorkerMLCEngine(engineConfig, keepAliveMs), modelId, chatOpts);
}

// ---- Chrome extensions: the same over a port of chrome.runtime.

/** @typedef {{ name: string, postMessage(message: any): void, onMessage: { addListener(f: (message: any) => void): void }, onDisconnect: { addListener(f: (port: any) => void): void } }} Port */
/** @typedef {MLCEngineConfig & { extensionId?: string, onDisconnect?: () => void }} ExtensionMLCEngineConfig */

export class ExtensionServiceWorkerMLCEngineHandler extends WebWorkerMLCEngineHandler {
  /** @type {Port | null} */
  port = null;

  /** @param {Port} port */
  constructor(port) {
    super();
    this.setPort(port);
  }

  /** @param {any} message */
  postMessage(message) {
    this.port?.postMessage(message);
  }

  /** A page that opened again. @param {Port} port */
  setPort(port) {
    this.port = port;
    port.onDisconnect.addListener((gone) => this.onPortDisconnect(gone));
  }

  /** @param {Port} port */
  onPortDisconnect(port) {
    if (port !== this.port) return;
    this.port = null;
    this.abandon();
  }
}

export class ExtensionServiceWorkerMLCEngine extends KeptAlive {
  /** @param {ExtensionMLCEngineConfig} [config] @param {number} [keepAliveMs] */
  constructor(config = {}, keepAliveMs = 10000) {
    const { runtime } = /** @type {any} */ (globalThis).chrome;
    const named = { name: 'web_llm_service_worker' };
    /** @type {Port} */
    const port = config.extensionId ? runtime.connect(config.extensionId, named) : runtime.connect(named);
    super({ onmessage: null, postMessage: (message) => port.postMessage(message) }, config);
    this.port = port;
    this.extensionId = config.extensionId;
    port.onMessage.addListener((message) => this.onmessage(message));
    this.keepAlive(keepAliveMs);
    port.onDisconnect.addListener(() => {
      this.letGo();
      this.disconnected('the port to the extension was closed: create the engine again');
      config.onDisconnect?.();
    });
  }

  /** @param {any} event */
  onmessage(event) {
    if (event.kind === 'heartbeat') this.missedHeartbeat = 0;
    else super.onmessage(event);
  }
}

/**
 * @param {string | string[]} modelId @param {ExtensionMLCEngineConfig} [engineConfig] @param {ChatOptions | ChatOptions[]} [chatOpts] @param {number} [keepAliveMs]
 * @returns {Promise<ExtensionServiceWorkerMLCEngine>}
 */
export async function CreateExtensionServiceWorkerMLCEngine(modelId, engineConfig, chatOpts, keepAliveMs = 10000) {
  return withModel(new ExtensionServiceWorkerMLCEngine(engineConfig, keepAliveMs), modelId, chatOpts);
}
