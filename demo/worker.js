// The engine's worker under this page's own folder, so that the page's service worker serves it too.

import '../web/worker.js';
