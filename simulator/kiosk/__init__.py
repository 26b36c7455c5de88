"""The kiosk page: a unit in the browser, as a person sees it (issue 2, 'What a person can do', 2).

`server` speaks HTTP and WebSocket, `stage` is what the page can do to the unit's world, `live` carries what
happens to every open page, `static/` is the page itself (plain modules, no build step, nothing from elsewhere).
"""
