// The worker that holds an engine.

import { serve } from './serve.js';

const take = serve((message) => postMessage(message));
addEventListener('message', (event) => take(event.data));
