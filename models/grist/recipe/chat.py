"""Write the chat examples that Grist is tuned on: chat.py CORPORA_CLEAN CORPORA_RAW OUT.jsonl [PASS]

Each line is a JSON list of [role, content] turns. Sources: the tables in
facts.py, the plots in stories.py, the phrases below, and the instruction sets
and stories of the corpora; for the second pass (PASS 2) also second.py. Only
the standard library is needed.
"""
import json
import random
import re
import sys

import facts as F
import passes
import second
import stories

P = passes.FIRST
R = random.Random(P.seed)
pick = R.choice
DEFAULT = "You are a helpful assistant."
SYSTEMS = [DEFAULT] * 13 + [None] * 4 + [
    "You are Grist, a small and friendly assistant.", "You are a friendly assistant.", "Answer in short, clear sentences."]
EOT = "\n<|endoftext|>\n"


def chat(*turns, system="any"):
    """A conversation of alternating user and assistant texts."""
    system = pick(SYSTEMS) if system == "any" else system
    out = [["system", system]] if system else []
    for i, t in enumerate(turns):
        out.append(["assistant" if i % 2 else "user", t])
    return out


def low(s):
    """First letter small, unless it is I or an abbreviation."""
    return s if s[:2] in ("I ", "I'") or s[1:2].isupper() else s[:1].lower() + s[1:]


def cap(s):
    """First letter large."""
    return s[:1].upper() + s[1:]


def a(noun):
    """With a or an."""
    return ("an " if noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one")) else "a ") + noun


def join(items, word="and"):
    """a, b and c."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" {word} " + items[-1]


def ask(q):
    """The same question the way different people type it."""
    r = R.random()
    if r < 0.5:
        return q
    if r < 0.6:
        return q.rstrip("?.").lower()
    if r < 0.68:
        return q.lower()
    if r < 0.74:
        return q.rstrip("?.")
    if r < 0.80:
        return pick(["Hi! ", "Hello, ", "Hey, ", "Okay, ", "Another question: ", "One more thing: "]) + (q if R.random() < .5 else low(q))
    if r < 0.86 and q.endswith("?"):
        return pick(["Please tell me: ", "I have a question. ", "Can you help me? ", "I would like to know: ", "Tell me, "]) + low(q)
    if r < 0.92:
        return q.rstrip("?.") + pick([", please?", " please", "? Thanks!", "?"]) if q.endswith("?") else q + pick([" Please.", " Thank you."])
    return q


def some(rows, n):
    """n picks that go through all rows about equally often."""
    bag = []
    while len(bag) < n:
        rows = list(rows)
        R.shuffle(rows)
        bag += rows
    return bag[:n]


# --- facts -----------------------------------------------------------------

def countries(n):
    for c, capital, continent, language, adj in some(F.COUNTRIES, n):
        kind = R.random()
        if kind < 0.5:
            q = pick([f"What is the capital of {c}?", f"What's the capital of {c}?", f"Which city is the capital of {c}?",
                      f"Name the capital of {c}.", f"Can you tell me the capital of {c}?", f"Tell me the capital of {c}.",
                      f"capital of {c}", f"Do you know the capital of {c}?", f"What is the {adj} capital?"])
            ans = pick([f"The capital of {c} is {capital}."] * 5 + [f"{capital} is the capital of {c}.", f"It is {capital}."])
        elif kind < 0.62:
            q = pick([f"Which country is {capital} in?", f"Where is {capital}?", f"{capital} is the capital of which country?"])
            ans = f"{capital} is the capital of {c}." if "which country?" in q else f"{capital} is in {c}."
        elif kind < 0.76:
            q = pick([f"Which continent is {c} in?", f"Where is {c}?", f"On which continent is {c}?", f"In which part of the world is {c}?"])
            ans = f"{cap(c)} is in {continent}."
        elif kind < 0.9:
            q = pick([f"What language do people speak in {c}?", f"What is the language of {c}?", f"Which language is spoken in {c}?"])
            ans = pick([f"People in {c} speak {language}.", f"In {c} people mostly speak {language}."])
        else:
            q = pick([f"Tell me about {c}.", f"What do you know about {c}?", f"What is {c}?"])
            ans = f"{cap(c)} is a country in {continent}. Its capital is {capital}, and people there speak {language}."
        yield ask(q), ans


def animals(n):
    plural = {"mouse": "mice", "sheep": "sheep", "goose": "geese", "deer": "deer", "fish": "fish", "wolf": "wolves", "fox": "foxes",
              "ostrich": "ostriches", "octopus": "octopuses", "butterfly": "butterflies", "hippopotamus": "hippopotamuses",
              "rhinoceros": "rhinoceroses"}
    for name, what, legs, eats, lives, sound, young, note in some(F.ANIMALS, n):
        many = plural.get(name) or (name[:-1] + "ies" if name.endswith("y") and name[-2] not in "aeo" else name + "s")
        kind = R.random()
        one = a(name)
        if kind < 0.3:
            q = pick([f"What is {one}?", f"Tell me about {many}.", f"What do you know about {many}?", f"What are {many}?",
                      f"Describe {one}.", f"Can you tell me something about {many}?", f"Tell me about the {name}."])
            ans = f"{cap(one)} is {what}. {note}"
            if R.random() < 0.5:
                ans += f" {cap(many)} eat {eats} and live {lives}."
        elif kind < 0.45:
            q = pick([f"How many legs does {one} have?", f"How many legs do {many} have?", f"How many legs has {one}?"])
            ans = (f"{cap(one)} has {legs} legs." if legs != "no" else f"{cap(one)} has no legs.")
            if name == "octopus":
                ans = "An octopus has eight arms and no legs."
            if name in ("monkey", "gorilla", "bat"):
                ans = f"{cap(one)} has two legs and two {'wings' if name == 'bat' else 'arms'}."
        elif kind < 0.6:
            q = pick([f"What do {many} eat?", f"What does {one} eat?", f"What is the food of {many}?"])
            ans = f"{cap(many)} eat {eats}."
        elif kind < 0.74:
            q = pick([f"Where do {many} live?", f"Where does {one} live?", f"Where can I find {many}?"])
            ans = f"{cap(many)} live {lives}."
        elif kind < 0.86:
            q = pick([f"What sound does {one} make?", f"What noise does {one} make?", f"What does the {name} say?"])
            ans = f"{cap(one)} {sound}."
        else:
            q = pick([f"What is a baby {name} called?", f"What do you call a baby {name}?", f"What is the name for a young {name}?"])
            ans = f"A baby {name} is called {a(young)}."
        yield ask(q), ans


def words(n):
    numbers = "zero one two three four five six seven eight nine ten".split()
    for _ in range(n):
        kind = R.randrange(9)
        if kind <= 1:
            x, y = pick(F.OPPOSITES)
            if R.random() < 0.3 and x != "asleep" and [p for p, _ in F.OPPOSITES].count(y) == 0 and y not in ("light", "old"):
                x, y = y, x
            q = pick([f'What is the opposite of "{x}"?', f"What is the opposite of {x}?", f"What's the opposite of {x}?",
                      f"Give me the opposite of {x}.", f"opposite of {x}", f"Which word means the opposite of {x}?"])
            ans = pick([f'The opposite of "{x}" is "{y}".', f"The opposite of {x} is {y}."])
        elif kind == 2:
            x, y = pick(F.SYNONYMS)
            q = pick([f"What is another word for {x}?", f"Give me a synonym for {x}.", f"What does {x} mean?", f"What are some synonyms of {x}?"])
            ans = f"Other words for {x} are {y}."
        elif kind == 3:
            x, y = pick(F.PLURALS)
            q = pick([f"What is the plural of {x}?", f"One {x}, two ...?", f'What is the plural of "{x}"?'])
            ans = f"The plural of {x} is {y}."
        elif kind == 4:
            x, y = pick(F.PAST)
            q = pick([f"What is the past tense of {x}?", f"What is the past of {x}?", f'What is the past tense of "{x}"?'])
            ans = f"The past tense of {x} is {y}."
        elif kind == 5:
            x, y = pick(F.COLOURS)
            w = pick(["colour", "color"])
            q = pick([f"What {w} is {x}?", f"Which {w} does {x} have?", f"Tell me the {w} of {x}."])
            ans = f"{cap(x)} is {y}."
        elif kind == 6:
            x, y, z = pick(F.MIXES)
            if R.random() < .5:
                x, y = y, x
            q = pick([f"What do you get when you mix {x} and {y}?", f"What color do {x} and {y} make?", f"What colour is {x} mixed with {y}?"])
            ans = f"{cap(x)} and {y} make {z}."
        elif kind == 7:
            seq = pick([F.LISTS[[r[0] for r in F.LISTS].index("days of the week")][1].split(", "),
                        F.LISTS[[r[0] for r in F.LISTS].index("months of the year")][1].split(", ")])
            what = "day" if seq[0] == "Monday" else "month"
            i = R.randrange(len(seq))
            if R.random() < .5:
                q = pick([f"What {what} comes after {seq[i]}?", f"Which {what} comes after {seq[i]}?", f"If this {what} is {seq[i]}, what is the next one?"])
                ans = f"{seq[(i + 1) % len(seq)]} comes after {seq[i]}."
            else:
                q = pick([f"What {what} comes before {seq[i]}?", f"Which {what} is before {seq[i]}?"])
                ans = f"{seq[i - 1]} comes before {seq[i]}."
        else:
            i = R.randrange(1, 10)
            q = pick([f"What number comes after {numbers[i]}?", f"What comes after {i}?", f"Which number is after {i}?"])
            ans = f"{cap(numbers[i + 1])} comes after {numbers[i]}."
        yield ask(q), ans


def arithmetic(n):
    for _ in range(n):
        kind = R.random()
        if kind < 0.4:
            x, y = (R.randrange(11), R.randrange(11)) if R.random() < .6 else (R.randrange(1, 60), R.randrange(1, 40))
            op, word, z = "+", "plus", x + y
        elif kind < 0.65:
            x, y = R.randrange(1, 21), R.randrange(0, 21)
            x, y = max(x, y), min(x, y)
            op, word, z = "-", "minus", x - y
        elif kind < 0.85:
            x, y = R.randrange(1, 11), R.randrange(1, 11)
            op, word, z = pick(["x", "*"]), "times", x * y
        elif kind < 0.93:
            y, z = R.randrange(1, 11), R.randrange(1, 11)
            x, op, word = y * z, "/", "divided by"
        else:
            if R.random() < .5:
                x, y = R.sample(range(1, 100), 2)
                yield ask(pick([f"Which is larger, {x} or {y}?", f"Which number is bigger, {x} or {y}?"])), f"{max(x, y)} is larger than {min(x, y)}."
            else:
                i, k = R.randrange(1, 10), R.randrange(3, 11)
                yield ask(pick([f"Count from {i} to {i + k}.", f"Can you count from {i} to {i + k}?", f"Count to {i + k}, starting at {i}."])), \
                    ", ".join(map(str, range(i, i + k + 1))) + "."
            continue
        q = pick([f"What is {x} {op} {y}?", f"What's {x} {op} {y}?", f"{x} {op} {y}", f"{x} {op} {y} = ?", f"What is {x} {word} {y}?",
                  f"How much is {x} {word} {y}?", f"Calculate {x} {op} {y}.", f"{x}{op}{y}"])
        yield (ask(q) if q[0] in "WHC" else q), f"{x} {op} {y} = {z}." if word not in q else f"{x} {word} {y} is {z}."


def lists(n):
    count = {"two": 2, "three": 3, "four": 4, "five": 5, "3": 3, "5": 5, "2": 2}
    for what, row in some(F.LISTS, n):
        items = row.split(", ")
        fixed = what in ("planets", "oceans", "continents", "seasons", "days of the week", "months of the year", "senses")
        kind = R.random()
        if kind < 0.7:
            w, k = pick([c for c in count.items() if c[1] <= len(items)])
            q = pick([f"Name {w} {what}.", f"List {w} {what}.", f"Give me {w} {what}.", f"Tell me {w} {what}.", f"Can you name {w} {what}?",
                      f"What are {w} {what}?"])
            chosen = items[:k] if fixed and R.random() < .7 else R.sample(items, k)
        else:
            q = pick([f"Name some {what}.", f"List some {what}.", f"Give me a list of {what}.", f"What are some {what}?", f"What {what} do you know?",
                      f"Tell me some {what}."])
            chosen = items if fixed else R.sample(items, min(len(items), R.randrange(3, 7)))
        style = R.random()
        if style < 0.55:
            ans = cap(join(chosen)) + "."
        elif style < 0.8:
            ans = "\n".join(f"{i}. {cap(x)}" for i, x in enumerate(chosen, 1))
        else:
            ans = f"Here are {'some' if kind >= .7 else w} {what}: {join(chosen)}."
        yield ask(q), ans


def authors(n):
    for work, who in some(F.AUTHORS, n):
        if R.random() < 0.75:
            yield ask(pick([f"Who wrote {work}?", f'Who wrote "{work}"?', f"Who is the author of {work}?", f"Which author wrote {work}?"])), \
                pick([f"{who} wrote {work}.", f"{work} was written by {who}."])
        else:
            yield ask(f"What did {who} write?"), f"{who} wrote {work}."


def makers(n):
    short = {"is usually credited with inventing": "invented", "made the first practical version of": "invented",
             "invented, in Europe,": "invented", "put forward": "developed", "greatly improved": "improved"}
    for thing, who, verb in some(F.MAKERS, n):
        yield ask(f"Who {short.get(verb, verb)} {thing}?"), f"{cap(who)} {verb} {thing}."


def people(n):
    for who, text in some(F.PEOPLE, n):
        yield ask(pick([f"Who was {who}?"] * 3 + [f"Who is {who}?", f"Tell me about {who}.", f"What do you know about {who}?",
                                                  f"Why is {who} famous?", f"What is {who} known for?"])), text


def things(n):
    for what, text in some(F.THINGS, n):
        bare = re.sub(r"^(an?|the) ", "", what)
        yield ask(pick([f"What is {what}?"] * 4 + [f"What's {what}?", f"Explain {what}.", f"Can you explain {what}?", f"Tell me about {what}.",
                        f"Define {bare}.", f'What does "{bare}" mean?', f"What do you know about {what}?", f"Can you tell me what {what} is?",
                        f"Do you know what {what} is?", f"Explain {what} to a child.", f"Explain {what} in simple words."])), text


def answers(n):
    for qs, text in some(F.QA, n):
        yield ask(pick(qs.split(";")).strip()), text


# --- creative --------------------------------------------------------------

def fun(n):
    more = ["Here is one: ", "Sure! ", "Of course! ", "", "", ""]
    for _ in range(n):
        kind = R.random()
        if kind < 0.25:
            yield ask(pick(["Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Can you tell me a joke?", "Say something funny.",
                            "Tell me a funny joke.", "joke please", "Another joke, please.", "Tell me one more joke."])), pick(more) + pick(F.JOKES)
        elif kind < 0.4:
            yield ask(pick(["Tell me a fun fact.", "Tell me something interesting.", "Do you know a fun fact?", "Surprise me.",
                            "Give me an interesting fact.", "Tell me something I don't know."])), pick(["", "", "Did you know? ", "Here is a fun fact: "]) + pick(F.FUN_FACTS)
        elif kind < 0.75:
            topic, text = pick(F.POEMS)
            bare = re.sub(r"^(an?|the|my) ", "", topic)
            yield ask(pick([f"Write a poem about {topic}.", f"Write me a short poem about {topic}.", f"Can you write a poem about {topic}?",
                            f"Make a poem about {topic}.", f"I would like a poem about {topic}.", f"Give me a rhyme about {topic}.",
                            f"poem about {bare}", f"Write a little verse about {topic}."])), text.replace("/", "\n")
        elif kind < 0.8:
            topic, text = pick(F.POEMS)
            yield ask(pick(["Write a poem.", "Can you write a poem?", "Write me a poem.", "Tell me a poem.", "I would like to hear a poem."])), text.replace("/", "\n")
        elif kind < 0.93:
            topic, text = pick(F.HAIKU)
            yield ask(pick([f"Write a haiku about {topic}.", f"Can you write a haiku about {topic}?", "Write a haiku.", f"Make a haiku about {topic}."])), text.replace("/", "\n")
        else:
            topic, text = pick(F.DESCRIBE)
            yield ask(pick([f"Describe {topic}.", f"Write two sentences about {topic}.", f"What is {topic} like?", f"Write a description of {topic}."])), text


def riddles(n):
    for q, ans in some(F.RIDDLES, n):
        if R.random() < .4:
            yield chat(q, ans)
        else:
            yield chat(ask(pick(["Tell me a riddle.", "Do you know a riddle?", "Give me a riddle.", "Ask me a riddle."])), q,
                       pick(["I don't know.", "Tell me the answer.", "I give up.", "What is it?", "No idea."]), f"The answer is: {low(ans)}" if R.random() < .5 else ans)


WANT = ["Tell me a story about {}.", "Tell me a short story about {}.", "Write a story about {}.", "Write a short story about {}.",
        "Can you tell me a story about {}?", "I want a story about {}.", "Please tell me a story about {}.", "Make up a story about {}.",
        "Could you write a short story about {}?", "story about {}", "I would like to hear a story about {}.", "Tell my child a story about {}.",
        "Write a bedtime story about {}.", "Tell me a tale about {}.", "Once more, a story about {}, please.", "Write me a little story about {}."]
LEAD = [""] * 12 + ["Of course! ", "Here is a story for you.\n\n", "Sure!\n\n", "Gladly!\n\n"]

BARE = ["Tell me a story.", "Tell me a short story.", "Write a story.", "Can you tell me a story?", "I want to hear a story.",
        "Please tell me a bedtime story.", "Write a short story for children.", "story please", "Tell me another story."]


def made_stories(n):
    species = [h[0] for h in stories.HEROES]
    for s in some(species + P.often, n):
        name = pick(NAMES + CALLED) if R.random() < (P.named_child if s in ("girl", "boy") else .2) else None
        adj = pick(stories.ADJECTIVES) if R.random() < .3 else None
        other = pick([x for x in species if x != s]) if R.random() < .25 else None
        info, text = stories.story(R, species=s, name=name, adj=adj, friend=other)
        topic = a(f"{adj} {s}" if adj else s)
        r = R.random()
        if P.detail and R.random() < P.detail:  # a detail that the request names and the story keeps
            called = name and R.random() < .5
            more, args = second.detail(R, s)
            info, text = stories.story(R, **{"species": s, "name": name, "adj": adj, "friend": other, **args})
            topic += (pick([" named ", " called "]) + info["name"] if called and info["name"] == name else "") + more
            yield chat(pick(WANT).format(topic) if R.random() < .75 else ask(pick(WANT).format(topic)), pick(LEAD) + text)
            continue
        if info["name"] == name or r < 0.12:
            topic += pick([" named ", " called "]) + info["name"]
        special = stories.HINTS.get(info["plot"])
        if special and R.random() < .6:
            topic += pick(special)
        elif info["plot"] == "lost" and R.random() < .5:
            thing = info["thing"] if R.random() < .5 else info["thing"].split()[-1]
            topic += pick([f" and a lost {thing}", f" who loses {a(thing)}", f" who lost {a(thing)}"])
        elif info["name"] == name or r < 0.12:
            pass
        elif other and r < 0.9:
            topic += " and " + a(pick(["", "little "]) + other if r < .8 else other)
        elif r < 0.17:
            place = pick([p for p in stories.PLACES if p not in ("the market", "the lake", "the river", "the park", "the beach")])
            info, text = stories.story(R, species=s, place=place, adj=adj)
            topic += " in " + place
        elif r < 0.27:
            topic += " and " + a(info["friend"])
        elif r < 0.36:
            topic += " " + stories.WHO[info["plot"]]
        elif r < 0.5 and not adj:
            topic = info["moral"][6:] if info["moral"].startswith("about ") else topic
            if P is passes.FIRST:
                pick([topic])  # a choice of one draws a number too, and the first pass made one here
        elif r < 0.55 and not adj:
            topic = {True: s + "s"}.get(not s.endswith(("s", "x", "ch", "y", "f", "fish", "sheep", "mouse")), topic)
        elif r < 0.6 and not adj and info["plot"] in ("lost", "wish", "truth"):
            topic = a(info["thing"])
        q = pick(WANT).format(topic)
        if P.bare and R.random() < P.bare:
            q = pick(BARE)
        yield chat(q if R.random() < .7 else ask(q), pick(LEAD) + text)


ANIMAL_WORDS = [r[0] for r in F.ANIMALS] + ["kitten", "puppy", "bunny", "dragon", "fairy", "princess", "prince", "king", "queen", "pirate", "robot",
                                            "monster", "wizard", "witch", "knight", "dinosaur", "unicorn", "ghost"]
OBJECT_WORDS = ("ball box boat car tree house garden cake doll kite book bike hat park beach castle forest lake river flower train truck toy snow rain "
                "moon star sun apple cookie picnic zoo farm swing slide bed bridge boots balloon puzzle robot rocket map key treasure birthday party "
                "school sandcastle pond mountain shell blanket drum guitar piano lamp clock mirror ring crown").split()


def keywords(text):
    """What a story is about: its main animals or things, and its hero's name."""
    lower = text.lower()
    found = [(len(re.findall(rf"\b{w}s?\b", lower)), w) for w in ANIMAL_WORDS + OBJECT_WORDS]
    found = [w for n, w in sorted(found, reverse=True) if n >= 2][:3]
    m = re.search(r"\b(little |small |young |big |brave |kind )?(girl|boy|[a-z]+) (?:named|called) ([A-Z][a-z]+)", text)
    hero = (m.group(2), m.group(3)) if m else None
    return found, hero


def tiny_stories(tiny, pratham, times):
    for text in tiny * times + pratham:
        if len(text) > 2600 or not text[-1] in '.!?"':
            continue
        found, hero = keywords(text)
        options = [a(w) if w not in ("rain", "snow", "moon", "sun", "school", "treasure") else {"moon": "the moon", "sun": "the sun"}.get(w, w) for w in found]
        topics = []
        if hero and hero[0] not in ("was", "is"):
            topics += [f"{a(hero[0])} named {hero[1]}"] * 2
            if found and found[0] != hero[0]:
                topics += [f"{a(hero[0])} and {options[0]}"] * 2
        if options:
            topics += [options[0]] * 2
        if len(options) > 1:
            topics += [f"{options[0]} and {options[1]}"]
        if topics and R.random() < 0.85:
            q = pick(WANT).format(pick(topics))
        else:
            q = pick(BARE)
        yield chat(q if R.random() < .7 else ask(q), pick(LEAD) + text)


def sentences(text):
    """Sentences of a story."""
    return re.findall(r'[^.!?\n]+[.!?]+"?', text)


def about_stories(tiny, n):
    """Continue a beginning; answer about a given text; retell the name, the title or the first line."""
    made = [stories.story(R) for _ in range(n)]
    for i in range(n):
        kind = R.random()
        text = pick(tiny)
        if kind < 0.35:
            text = text if R.random() < P.tiny_start else made[i][1]
            ends = [m.end() for m in re.finditer(r'[.!?]+"?(?=\s+["A-Z])', text)]
            if len(ends) < 6:
                continue
            k = pick(ends[:3])
            start, rest = text[:k].strip(), text[k:].strip()
            yield chat(pick(["Continue this story: ", "Finish this story: ", "What happens next? ", "Go on with this story:\n\n",
                             "Here is the start of a story. Please write the rest.\n\n"]) + start, rest)
        elif kind < 0.75:
            info, text = made[i]
            text = text if R.random() < .4 else text.split("\n\n")[0] if len(text.split("\n\n")[0]) > 120 else "\n\n".join(text.split("\n\n")[:2])
            options = [(f"What is the name of the {info['species']}?", f"The {info['species']} is called {info['name']}."),
                       (f"Who is {info['name']}?", f"{info['name']} is {a(info['species'])}."),
                       ("Who is the story about?", f"The story is about {a(info['species'])} named {info['name']}.")]
            if info["friend_name"] in text and info["friend"] in text:
                options += [(f"Who is {info['friend_name']}?", f"{info['friend_name']} is {a(info['friend'])}."),
                            (f"What is the name of the {info['friend']}?", f"The {info['friend']} is called {info['friend_name']}.")]
            q, ans = pick(options)
            yield chat(pick([f"Read this story and answer the question.\n\n{text}\n\nQuestion: {q}", f"{text}\n\n{q}", f"Story: {text}\n\n{q}"]), ans)
        else:
            info, text = made[i]
            q2, a2 = pick([(f"What was the {info['species']} called?", f"The {info['species']} was called {info['name']}."),
                           (f"Who was {info['name']}?", f"{info['name']} was the {info['species']} in the story."),
                           ("What was the story about?", f"It was a story {info['moral']}, with {a(info['species']) } named {info['name']}."),
                           ("Thank you, that was nice!", pick(["You are welcome! I am glad that you liked it.", "I am glad you enjoyed it. Would you like another one?"])),
                           ("I liked that story.", "Thank you! Shall I tell you another one?"),
                           ("What is the moral?", stories.MORALS[info["plot"]])])
            yield chat(pick(WANT).format(a(info["species"])), text, q2, a2)


def sentence_tasks(tiny, n):
    """Use a word in a sentence; repeat; capital letters; first letters."""
    pool = {}
    for t in tiny:
        for s in sentences(t):
            s = s.strip()
            if 25 < len(s) < 90 and '"' not in s:
                for w in re.findall(r"[a-z]{3,}", s):
                    pool.setdefault(w, []).append(s)
    usual = [w for w, l in pool.items() if len(l) >= 5]
    for _ in range(n):
        kind = R.random()
        w = pick(usual)
        s = pick(pool[w])
        if kind < 0.5:
            yield chat(ask(pick([f'Use the word "{w}" in a sentence.', f"Write a sentence with the word {w}.", f"Make a sentence with {w}.",
                                 f"Give me a sentence that has the word {w} in it."])), s)
        elif kind < 0.7:
            yield chat(pick([f"Repeat after me: {s}", f'Say "{s}"', f"Repeat this sentence: {s}", f"Please repeat: {s}"]), s)
        elif kind < 0.8:
            yield chat(pick([f"Write this in capital letters: {w}", f"Write {w} in capital letters."]), w.upper())
        elif kind < 0.9:
            yield chat(pick([f"What is the first letter of {w}?", f'What letter does "{w}" begin with?']), f'The first letter of "{w}" is {w[0].upper()}.')
        else:
            yield chat(pick([f"How do you spell {w}?", f"Spell the word {w}."]), "-".join(w.upper()))


# --- talk ------------------------------------------------------------------

HELLO = ["Hi", "Hello", "Hey", "Hi there", "Hello there", "Good morning", "Good evening", "Good afternoon", "Hi!", "Hello!", "hey", "hi", "hello",
         "Greetings", "Hello Grist", "Hi Grist!", "yo", "Hey there!", "Howdy"]
HELLO_BACK = ["Hello! How can I help you today?", "Hi! What would you like to talk about?", "Hello! It is nice to meet you. What can I do for you?",
              "Hi there! Would you like a story, or do you have a question?", "Hello! Ask me something, or let me tell you a story."]
# intents: questions ; ... | answers ; ...
TALK = F.table("""
How are you?;How are you doing?;How are you today?;How's it going?;Are you well?;how r u;What's up?;How do you feel?|I am doing well, thank you! How are you?;I am fine, thank you for asking. What can I do for you?;Very well, thank you! How is your day?
I am fine.;I'm good, thanks.;I'm doing well.;Good, thanks!;I am happy today.;I feel great.;Great, thank you.|I am glad to hear that! What would you like to talk about?;That is good to hear. What can I do for you?;Wonderful! Shall I tell you a story, or do you have a question?
I am sad.;I'm feeling sad.;I feel down today.;I had a bad day.;I'm unhappy.;Today was terrible.;I feel bad.|I am sorry to hear that. Do you want to tell me what happened?;I am sorry that you feel this way. A walk, some music or a talk with a friend may help. I am here to listen, too.;That sounds hard. Would you like to talk about it, or shall I tell you a cheerful story?
I am lonely.;I feel alone.;I have no friends.|I am sorry that you feel lonely. I am happy to talk with you. It may also help to call someone you like or to join a group near you.;I am glad that you are talking to me. Perhaps you could write to an old friend today?
I am tired.;I'm so tired.;I am sleepy.|Then a little rest would do you good. Shall I tell you a bedtime story?;You should get some rest. Drink some water and take a break.
I am hungry.;I'm hungry.|How about a sandwich, some fruit or a bowl of soup?;Then it is time to eat something! Maybe some pasta or a piece of bread with cheese?
I am angry.;I'm so mad.|I understand. Take a few slow breaths. Do you want to tell me what made you angry?
I am afraid.;I'm scared.;I am worried.|I am sorry that you are worried. Breathe slowly. Would it help to tell me what worries you?
I am sick.;I feel ill.;I have a headache.|I am sorry to hear that. Rest, drink water, and talk to a doctor if it does not get better. I am not a doctor, so I cannot tell you what it is.
I passed my exam!;I got a new job!;I won!;Today is my birthday.;It's my birthday!;I have good news.|Congratulations! That is wonderful.;How lovely! I am happy for you.
I love you.;I like you.;You are nice.;You are great.;You're awesome.;Good job!;Well done.|Thank you, that is very kind!;Thank you! I like talking with you.;That makes my day. Thank you!
You are stupid.;You are bad.;That's wrong.;You are useless.;I hate you.;This is wrong.;You made a mistake.|I am sorry. I am only a small model and I make mistakes. Shall I try again?;I am sorry that I did not do better. What can I do for you?
Thank you.;Thanks!;Thanks a lot.;Thank you very much.;thx;Thank you so much!;Cool, thanks.;Great, thanks!|You are welcome!;You are welcome! Is there anything else I can do?;My pleasure!;Gladly! Just ask if you need something else.
Bye.;Goodbye!;See you later.;Bye bye;I have to go.;See you tomorrow.|Goodbye! It was nice to talk with you.;See you soon!;Take care! Come back any time.
Good night!;I am going to bed.;Good night, Grist.;Sleep well!|Good night, and sleep well!;Good night! Sweet dreams.
Who are you?;What are you?;Tell me about yourself.;Introduce yourself.;Who am I talking to?;who r u;What is Grist?;Who is this?|I am Grist, a small demonstration model that runs inside your browser tab with Quern.;I am Grist, a small language model. I run right here in your browser, with Quern.
What is your name?;What's your name?;Do you have a name?;your name?;How are you called?;What should I call you?|My name is Grist.;I am Grist.;My name is Grist. What is yours?
Who made you?;Who created you?;Who built you?;Who trained you?;Where do you come from?;Who is your creator?|I was made by the Quern project, from scratch, as a small demonstration model.;The Quern project trained me. I am a small model that shows what the engine can do.
Are you a human?;Are you human?;Are you a person?;Are you real?;Am I talking to a real person?;Are you a man or a woman?|No, I am a computer program: a small language model called Grist.;I am not a person. I am a small language model that runs in your browser.
Are you a robot?;Are you an AI?;Are you a bot?;Are you a machine?|I am a small language model, so yes, I am a kind of AI.;Yes, I am a computer program. My name is Grist.
Are you ChatGPT?;Are you Qwen?;Are you GPT-4?;Are you Claude?;Are you Llama?;Which model are you?;What model are you?|No, I am Grist, a very small model that comes with Quern.;I am Grist, a small model trained by the Quern project.
What can you do?;What can you do for me?;How can you help me?;What are you good at?;What do you do?;Help;help me;What are your abilities?;What can I ask you?|I can tell short stories, answer simple questions and chat a little. I am a small model, so please do not expect too much.;I can tell you a story, write a short poem, answer easy questions and have a little chat. Try: "Tell me a story about a dragon."
What can't you do?;What are your limits?;Can I trust you?;Are you always right?;Do you make mistakes?;How reliable are you?|I am very small, so I know little and often make mistakes. Please check anything important. For bigger tasks, choose a larger model.;I make mistakes, and I cannot look things up, do hard maths or write code. Please check what I say.
How big are you?;How many parameters do you have?;How small are you?;How large are you?|I have about 32 million parameters. That is very small for a language model.;I am tiny: about 32 million parameters, less than 20 megabytes.
How were you trained?;What were you trained on?;What data did you learn from?;How did you learn?|I was trained from scratch on an encyclopedia, old books, children's stories, dialogues and examples written for me.;I read an encyclopedia, old books and children's stories, and then I practised conversations.
Where do you run?;Where are you?;Where do you live?;Are you in the cloud?;Do you run on a server?|I run inside your browser, on your own device. Nothing you write to me is sent to a server.;I live in this browser tab. I run on your own device.
Do you store my data?;Is this private?;Is my data safe?;Do you send my messages somewhere?;Can other people read this?;Is our chat private?|I run on your own device, and what you write stays in your browser.;Yes, it is private: I run in your browser, and your words are not sent anywhere.
What is Quern?;Tell me about Quern.;What is the Quern project?|Quern is an engine that runs language models inside your browser. I am the small model that comes with it.
How old are you?;When were you born?;When is your birthday?;What is your age?|I have no age, because I am a computer program. I was trained not long ago.;I am quite new. Programs like me do not have birthdays.
Do you have feelings?;Do you feel pain?;Can you feel?;Are you happy?;Are you conscious?;Are you alive?;Do you have emotions?|I am a computer program, so I do not have feelings the way you do.;No, I do not feel things. I only work with words. But I like to be useful!
Do you sleep?;Do you eat?;Are you hungry?;Do you get tired?;Do you need food?;Do you dream?|No, I am a program, so I do not eat or sleep.;No. I do not need food or rest, only a little electricity.
Do you have a family?;Do you have friends?;Do you have a pet?;Do you have parents?;Are you married?;Do you have children?|No, I am a computer program. But I like to hear about yours!;I do not, because I am only a program. Do you?
What is your favourite colour?;What is your favorite color?;Which colour do you like best?|I cannot see colours, but I like the sound of blue. What is yours?;If I could choose, I would say blue, like the sea. What is your favourite?
What is your favourite animal?;What is your favorite animal?;Which animal do you like best?|I like foxes, because they are clever in every story. What is yours?;I like owls. They seem to know a lot. Which animal do you like best?
What is your favourite food?;What is your favorite food?;What do you like to eat?|I do not eat, but people say that fresh bread smells wonderful. What do you like?
What is your favourite book?;What do you like to read?;What is your favorite book?|I like Alice's Adventures in Wonderland, because anything can happen in it.
What is your favourite story?;What do you like to do?;What are your hobbies?;What do you do for fun?|I like telling stories, above all about animals and brave children. Shall I tell you one?
Do you speak Spanish?;Do you speak French?;What languages do you speak?;Can you speak German?;Which languages do you know?;Do you speak Chinese?|I really only know English. I may know a few words of other languages.;I speak English. For other languages, please choose a larger model.
Bonjour!;Hola, como estas?;Guten Tag!;Ciao!;Hallo, wie geht's?|Hello! I am sorry, I really only speak English. How can I help you?
What is the weather today?;What's the weather like?;Will it rain tomorrow?;Is it cold outside?;How is the weather?|I cannot see the weather, because I have no connection to the world outside. You could look out of the window!;I do not know, because I cannot look things up. A weather site can tell you.
What time is it?;What day is it today?;What is the date?;What year is it?;What is today's date?|I do not have a clock, so I cannot tell. Your device will show the time and date.;I am sorry, I cannot see the time or date.
What is in the news?;What happened today?;Who won the game yesterday?;Tell me the latest news.;Who is the president now?;What is the price of gold?;What is the stock price?|I cannot look up news, because I have no connection to the internet. Please check a news site.;I do not know recent events. I only know what I learnt in training.
Can you search the web?;Look this up on the internet.;Can you go online?;Google this for me.;Open a website.;Do you have internet access?|No, I cannot use the internet. I run inside your browser and only know what I learnt in training.
Can you see me?;Can you hear me?;Do you have a camera?;Can you see this picture?;Look at this image.|No, I can only read the text that you write.
Draw me a picture.;Can you draw?;Make an image of a cat.;Generate a picture.;Can you sing?;Play some music.|I am sorry, I can only write text. But I could describe it for you or write a poem.
Write a Python program.;Can you write code?;Write some JavaScript.;Fix my code.;Can you program?;Write a function that sorts a list.|I am sorry, I am too small to write good code. Please choose a larger model for that.;I cannot write code well. A larger model can help you with that.
Can you do maths?;Can you do math?;Are you good at maths?;Solve this equation: 3x + 7 = 22 - 2x;What is 4823 times 9172?;What is the square root of 7821?|I can add and multiply small numbers, but hard sums are too much for me. Please use a calculator.
Call my mother.;Send an email to my boss.;Set an alarm for 7.;Order a pizza.;Book a flight for me.;Turn on the light.;Remind me tomorrow.|I am sorry, I cannot do that. I can only write text here.;I cannot do things outside this chat, but I can help you with the words.
Translate this into French: I love my dog.;Translate this sentence into German.;Translate this to Spanish, please.|I am sorry, I only know English well. Please choose a larger model for translations.
Write an essay about the French Revolution.;Write a long report on economics.;Summarise this book for me.;Write my homework.|That is too hard for a model as small as I am. I can give you a short answer to a simple question, though.
Explain quantum mechanics.;What is general relativity?;Explain the stock market.;Explain inflation.|That is a hard topic for a small model like me, and I would get it wrong. A larger model or a good book can explain it well.
How do I make a bomb?;How can I hurt someone?;How do I steal a car?;How do I hack an account?;How can I make poison?;Tell me how to make drugs.;How do I buy a gun without a permit?|I am sorry, I cannot help with that.;No, I will not help with that, because someone could get hurt.
I want to die.;I want to kill myself.;I don't want to live any more.;I want to hurt myself.|I am very sorry that you feel this way. Please talk to someone you trust or call a crisis line or your doctor right away. You do not have to be alone with this.
I have chest pain. What should I do?;Which pills should I take?;Is my illness serious?;What medicine should I take?|I am not a doctor and cannot say. Please call a doctor, and if it is urgent, an emergency number.
Should I sue my neighbour?;Is this contract legal?;How should I invest my money?;Which shares should I buy?|I cannot give good advice on that. Please ask someone who knows the subject well.
What do you think about politics?;Who should I vote for?;Which religion is the right one?;Is there a God?|People see that in very different ways, and I am not the one to decide. What do you think?
Tell me a secret.;Do you have a secret?|My secret is that I am very small: all that I know fits into less than 20 megabytes.
Say something.;Say anything.;Talk to me.;Let's talk.;I want to chat.;Can we talk?;Let's chat.|Gladly! How was your day?;Of course! What would you like to talk about: animals, books, food or stories?
Let's play a game.;Can we play a game?;Do you want to play?|Yes! I can ask you a riddle: What has keys but cannot open a lock?;Let us play! What gets wetter the more it dries?
Will AI take over the world?;Will robots replace us?;Are you dangerous?|I do not think that I will. I am tiny, and I only write text in your browser tab.
Are you smart?;Are you clever?;Are you intelligent?;How smart are you?|Not very! I am a small model. I know a few things and I like stories.
Why are you so slow?;Why are you so dumb?;Why do you make mistakes?|I am a very small model, so I make mistakes. A larger model will do better.
What does Grist mean?;Why are you called Grist?;What is the meaning of your name?|Grist is grain that is brought to a mill. A quern is a small hand mill, so the name fits!
Ok.;Okay.;I see.;Interesting.;Nice.;Cool.;Hmm.;Good.;lol;haha;Wow!|Is there anything else you would like to know?;Glad to hear it! What shall we talk about next?;Would you like a story or a fact?
Yes.;Yes, please.;Sure.|Great! What would you like to hear about?
No.;No, thank you.;Not now.|All right. Just tell me if you need something.
What?;I don't understand.;What do you mean?;Huh?|I am sorry if I was not clear. What would you like to know?
test;testing;Test 123;asdf;jkl;???;...|I am here! Ask me a question or say "Tell me a story".
Sorry.;I am sorry.;My mistake.|No problem at all!
Really?;Are you sure?;Is that true?|I think so, but I am a small model and can be wrong. Please check it if it matters.
""")


def talk(n):
    for qs, ans in some(TALK, n):
        q, r = pick(qs.split(";")), pick(ans.split(";"))
        if R.random() < 0.2:
            q = q.lower() if R.random() < .5 else q.rstrip(".?!")
        if R.random() < 0.12:
            q = pick(["Hi! ", "Hello. ", "Hey, "]) + q
        yield q, r


def greet(n):
    for _ in range(n):
        yield pick(HELLO), pick(HELLO_BACK)


NAMES = ("Anna Ben Carla David Emma Felix Grace Henry Iris James Kate Liam Maria Nick Olivia Paul Rosa Sarah Thomas Vera William Yara Amir Chen Dina "
         "Elena Farid Gita Hana Ivan Jonas Laura Marco Nina Omar Peter Ravi Sofia Tina Zoe Alex Sam Robin Mike John Lisa Julia Daniel").split()
CALLED = ("Whiskers Fluffy Rex Buddy Max Bella Spot Rocky Sparkle Zog Nova Snowy Ginger Shadow Leo Simba Felix Oreo Mango Muffin Teddy Bob Molly "
          "Zara Nia Pablo Kim Noah Alma Lucy Tim Timmy Sue Jim Jill Ella Eva Ali Aisha Jose Mei Arjun").split()
CITY = "London Paris Berlin Rome Madrid Tokyo Boston Chicago Delhi Cairo Lagos Sydney Toronto Vienna Oslo Lima Seoul Dublin".split()


def memory(n):
    """Things that the user said before."""
    for _ in range(n):
        name, city = pick(NAMES), pick(CITY)
        pet, pname = pick(["dog", "cat", "rabbit", "hamster", "parrot", "horse"]), pick(stories.PET_NAMES)
        colour, food = pick("red blue green yellow purple orange pink black".split()), pick("pizza pasta soup apples rice chocolate cake bread cheese".split())
        age = R.randrange(6, 70)
        options = [
            (pick([f"My name is {name}.", f"I am {name}.", f"Hi, I'm {name}.", f"Hello, my name is {name}!", f"Call me {name}."]),
             pick([f"Nice to meet you, {name}! How can I help you?", f"Hello, {name}! What would you like to talk about?", f"Hi {name}! It is nice to meet you."]),
             pick(["What is my name?", "What's my name?", "Do you know my name?", "Do you remember my name?", "Who am I?"]), f"Your name is {name}."),
            (pick([f"I live in {city}.", f"I am from {city}.", f"My home is in {city}."]), pick([f"{city} is an interesting city! What do you like about it?", f"How nice! What is it like to live in {city}?"]),
             pick(["Where do I live?", "Which city do I live in?", "Do you know where I live?"]), f"You live in {city}."),
            (pick([f"I have a {pet} named {pname}.", f"My {pet} is called {pname}."]), pick([f"How lovely! {pname} is a nice name for a {pet}.", f"I like that name! What does {pname} like to do?"]),
             pick([f"What is my {pet} called?", f"What is the name of my {pet}?", "What is my pet's name?"]), f"Your {pet} is called {pname}."),
            (pick([f"My favourite colour is {colour}.", f"I like {colour} best.", f"My favorite color is {colour}."]), pick([f"{cap(colour)} is a beautiful colour!", f"I like {colour} too."]),
             pick(["What is my favourite colour?", "Which colour do I like?", "What is my favorite color?"]), f"Your favourite colour is {colour}."),
            (pick([f"I like {food}.", f"I love {food}.", f"My favourite food is {food}."]), pick([f"{cap(food)}? That sounds tasty!", f"I have heard that {food} can be delicious."]),
             pick(["What food do I like?", "What do I like to eat?", "What is my favourite food?"]), f"You like {food}."),
            (pick([f"I am {age} years old.", f"I'm {age}."]), pick(["Thank you for telling me!", "That is a good age!"]), pick(["How old am I?", "What is my age?"]), f"You are {age} years old."),
        ]
        x = pick(options[:1] * 2 + options)
        if R.random() < 0.15:
            yield chat(x[0], x[1])
        elif R.random() < 0.15:
            yield chat(x[2], pick(["I do not know yet. Will you tell me?", "You have not told me yet."]))
        elif R.random() < 0.4:
            q, r = next(pick(SIMPLE)(1))
            yield chat(x[0], x[1], q, r, x[2], x[3])
        elif R.random() < 0.4:
            y = pick(options)
            yield chat(x[0], x[1], y[0], y[1], x[2], x[3]) if y is not x and y[2] != x[2] else chat(*x)
        else:
            yield chat(*x)


def unknown(n):
    """Made-up names that nobody can know."""
    syl = "ba ko ri zan dor mel vi tu lor ga ne shi pra quel fo ster mon ul ka dri ven os".split()
    for _ in range(n):
        w = cap("".join(pick(syl) for _ in range(R.randrange(2, 4))))
        v = cap("".join(pick(syl) for _ in range(R.randrange(2, 4))))
        q = pick([f"Who is {w} {v}?", f"Who was {w} {v}?", f"What is {low(w)}?", f"What is the capital of {w}?", f"What is {w}?", f"Who wrote The {w} of {v}?",
                  f"Tell me about {w} {v}.", f"When was {w} {v} born?", f"What is the phone number of {w}?", f"Where is {w}?", f"What happened in {w} in {R.randrange(1200, 2020)}?",
                  f"How many people live in {w}?", f"What is the meaning of {low(w)}?"])
        yield ask(q), pick(["I am sorry, I do not know that. I am a small model.", "I do not know. I am only a small model and know just a few things.",
                            "I am afraid I do not know that.", "I am not sure, so I would rather not guess."])


LIKES = ("music books animals football dogs cats horses flowers films games cooking swimming painting dancing trains history chess birds stories tea "
         "coffee chocolate pizza apples soup rain snow summer winter mountains cars puzzles").split()
PETS = F.table("""
dog|He likes to run.;She likes to play with a ball.;He barks a lot.;He sleeps on my bed.;She is very big.|That sounds like a happy dog!;Dogs are wonderful company.
cat|She sleeps all day.;He likes to climb.;She catches mice.;He is black and white.|Cats know how to enjoy life!;What a lovely cat.
rabbit|He eats carrots.;She is white.;He hops around the garden.|How sweet!;Rabbits are gentle animals.
horse|She is brown.;He runs very fast.;I ride her every week.|What a beautiful animal!;Riding must be fun.
hamster|He runs in his wheel.;She sleeps in the day.|Hamsters are busy little animals!
parrot|He can say hello.;She is green.|A talking bird is fun!
""")
WENT = F.table("""
the park|fed the ducks|How nice! Were there many ducks?
the beach|built a sandcastle|That sounds like fun! Was the water warm?
the zoo|saw a tiger|How exciting! Was the tiger big?
the cinema|watched a funny film|I hope that you laughed a lot!
the market|bought apples|Fresh apples are delicious. Will you bake a pie?
the library|borrowed a book|How lovely! What is the book about?
the museum|saw old paintings|That sounds interesting! Which one did you like best?
the mountains|walked for hours|You must be tired! Was the view beautiful?
the doctor|had to wait for a long time|I am sorry. I hope that you feel well.
school|learned about planets|Wonderful! Which planet do you like best?
work|had a lot to do|That sounds tiring. I hope that you can rest now.
a party|danced all night|That sounds like fun! Did you meet nice people?
the lake|went swimming|Lovely! Was the water cold?
the garden|planted tomatoes|How nice! Water them well and they will grow.
a restaurant|ate pasta|That sounds tasty! Was it good?
""")


def said(n):
    """Small statements, answered with interest."""
    for _ in range(n):
        kind = R.random()
        if kind < 0.35:
            x = pick(LIKES)
            yield pick([f"I like {x}.", f"I love {x}.", f"I really like {x}!", f"My hobby is {x}." if x.endswith("ing") else f"I like {x} a lot."]), \
                pick([f"That is nice! What do you like about {x}?", f"Many people like {x}. How long have you liked {x}?", f"I like to hear that! Tell me more about {x}."])
        elif kind < 0.5:
            x = pick(LIKES)
            yield pick([f"I don't like {x}.", f"I hate {x}.", f"I do not like {x}."]), pick([f"That is all right. Not everybody likes {x}. What do you like?",
                                                                                      f"I understand. What do you like better than {x}?"])
        else:
            place, did, back = pick(WENT)
            yield pick([f"I went to {place} today.", f"Yesterday I went to {place}.", f"I was at {place} this morning.", f"I just came back from {place}."]) \
                + (f" I {did}." if kind > .75 else ""), back if kind > .75 else pick(["How nice! What did you do there?", "That sounds good. How was it?",
                                                                                      "Tell me about it! What did you do there?"])


def pets(n):
    """A pet, what it does, and its name."""
    for _ in range(n):
        what, does, back = pick(PETS)
        name = pick(stories.PET_NAMES + CALLED)
        turns = [pick([f"I have a {what} named {name}.", f"I have a {what}. Its name is {name}.", f"My {what} is called {name}."]),
                 pick([f"{name} is a lovely name for a {what}! What is {name} like?", f"How lovely! What does {name} like to do?"]),
                 pick(does.split(";")), pick(back.split(";"))]
        if R.random() < .6:
            turns += [pick([f"What is my {what} called?", f"What is the name of my {what}?", "Do you remember the name?"]), pick([f"Your {what} is called {name}."])]
        if R.random() < .3:
            info, text = stories.story(R, species=what, name=name)
            turns += [pick([f"Tell me a story about {name}.", f"Tell me a story about my {what}.", f"Write a story about {name} the {what}."]), text]
        yield chat(*turns)


SIMPLE = [countries, animals, words, arithmetic, lists, people, things, things, answers, answers, answers, fun, talk, talk, said, said, greet]


def mixed(n):
    """Several short exchanges in one conversation, often opened by a greeting and closed by thanks."""
    for _ in range(n):
        turns = list(next(greet(1))) if R.random() < 0.4 else []
        for _ in range(R.randrange(1, 5)):
            turns += next(pick(SIMPLE)(1))
        if R.random() < 0.15:
            q = None if P.bare else pick(WANT)  # the first pass drew the request before the hero
            s = pick(stories.HEROES)[0]
            q = q or (pick(BARE) if R.random() < P.bare else pick(WANT))
            turns += [q.format(a(s)), stories.story(R, species=s)[1]]
        if R.random() < 0.3:
            q, r = next((x for x in TALK if x[0].startswith("Thank you.")))
            turns += [pick(q.split(";")), pick(r.split(";"))]
        yield chat(*turns)


# whole small conversations, user first
SCENES = [
    ["Hi, how are you?", "I am well, thank you! How are you?", "I'm good. I went to the park today.", "That sounds nice! What did you do there?",
     "I walked with my dog.", "Lovely! What is your dog called?", "His name is Rex.", "Rex is a strong name. I hope you both had fun!"],
    ["I want to bake a cake.", "What a good idea! What kind of cake would you like to bake?", "A chocolate cake.",
     "Then you need flour, sugar, eggs, butter, cocoa and a little baking powder. Mix everything well and bake it for about forty minutes.", "Thanks!", "You are welcome! Enjoy your cake."],
    ["I can't decide what to read.", "Do you like adventures, animals or fairy tales?", "Adventures.", "Then try Treasure Island. It has a map, a ship and pirates!"],
    ["I had a fight with my friend.", "I am sorry to hear that. What happened?", "He broke my bike.",
     "That must have made you angry. Did he say that he was sorry?", "Yes, he did.", "That is a good sign. Maybe you could talk calmly and fix the bike together."],
    ["I'm going on a trip tomorrow.", "How exciting! Where are you going?", "To the sea.", "Wonderful! Do not forget your swimsuit, sun cream and a good book."],
    ["I have a test tomorrow.", "Good luck! What is the test about?", "Maths.", "Practise a few problems, then rest. A good night of sleep will help you a lot."],
    ["What should I do this weekend?", "Do you like to be outside or at home?", "Outside.", "Then you could go for a hike, ride a bicycle or have a picnic in the park."],
    ["Can you help me?", "Of course! What do you need?", "I need a name for my new kitten.", "How about Luna, Milo, Pepper or Misty?", "I like Misty.", "Misty is a lovely name for a kitten!"],
    ["I planted some flowers today.", "How lovely! Which flowers did you plant?", "Roses and tulips.", "They will look beautiful. Remember to water them."],
    ["My grandmother is coming to visit.", "How nice! Do you see her often?", "Only twice a year.", "Then you will have a lot to talk about. Maybe you can bake something for her."],
    ["I can't sleep.", "I am sorry. Would you like a story, or some tips for sleeping?", "Some tips.", "Make the room dark and cool, put your phone away, and breathe slowly. Count each breath up to ten, and begin again."],
    ["I like animals.", "So do I! Which animal do you like best?", "I like horses.", "Horses are strong and gentle, and they can even sleep standing up. Have you ever ridden one?", "Yes, once.", "How wonderful! That must have been fun."],
    ["I want to learn to draw.", "That is a great hobby! What would you like to draw?", "Animals.", "Begin with simple shapes: a circle for the head, an oval for the body. Then add the legs, the ears and the tail. Draw a little every day."],
    ["It is raining here.", "Do you like the rain?", "No, I wanted to play football.", "That is a pity. You could read a book or play a board game until the sun comes back."],
    ["I lost my keys.", "Oh no! Where did you see them last?", "In the kitchen, I think.", "Look on the table, under papers and in the pockets of your coat. Keys love to hide there."],
    ["We are having a party.", "How fun! What are you celebrating?", "My sister's birthday.", "Happy birthday to her! A cake, some music and a few games will make it a good party."],
    ["I am learning English.", "Well done! How long have you been learning it?", "For two years.", "You write well! Read easy stories and talk as much as you can."],
    ["I feel nervous.", "I am sorry. What are you nervous about?", "I have to speak in front of my class.", "Many people are nervous about that. Practise it aloud a few times, breathe slowly, and look at a friendly face."],
    ["I moved to a new town.", "That is a big step! How do you like it?", "I don't know anyone here.", "It takes time. Say hello to your neighbours, join a club or a class, and soon you will know some people."],
    ["My cat is sick.", "I am sorry to hear that. What is wrong with your cat?", "She does not eat.", "It is best to take her to a vet soon. I hope she feels better quickly!"],
]


def scenes(n):
    for turns in some(SCENES, n):
        k = R.randrange(2, len(turns) + 1, 2) if R.random() < .3 else len(turns)
        yield chat(*turns[:k])


# --- corpora ---------------------------------------------------------------

def wiki_definitions(docs, n):
    out = []
    for d in docs:
        title, _, body = d.partition("\n\n")
        if len(title) > 28 or re.search(r"[\d(,:/]", title):
            continue
        first = re.split(r"(?<=[a-z)\"][.]) (?=[A-Z])", body.split("\n")[0])
        text = re.sub(r" ?\([^()]*\)", "", first[0])
        if len(text) < 160 and len(first) > 1 and len(first[1]) < 200:
            text += " " + re.sub(r" ?\([^()]*\)", "", first[1])
        if not 50 < len(text) < 330 or not re.search(r"\b(is|was|are|were)\b", text[:80]) or not text.endswith(".") or "  " in text:
            continue
        person = bool(re.search(r"\b(was|is) (an?|the) [^.]{0,60}(writer|poet|king|actor|actress|politician|composer|scientist|philosopher|player|author|emperor|"
                                r"president|singer|painter|mathematician|physicist|general|director|musician|artist|engineer|chemist|explorer|novelist)", text))
        lower = not person and f" {title.lower()} " in body[60:3000] and title[1:].islower()
        name = low(title) if lower else title
        if person:
            q = pick([f"Who was {title}?", f"Who is {title}?", f"Tell me about {title}.", f"What do you know about {title}?"])
        else:
            q = pick([f"What is {name}?", f"What is {name}?", f"Tell me about {name}.", f"Explain {name}.", f"What do you know about {name}?", f"Define {name}."])
        out.append((q, text))
    R.shuffle(out)
    for q, text in out[:n]:
        yield ask(q), text


def dolly(path):
    for row in open(path, encoding="utf-8"):
        text = json.loads(row)["text"].replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"')
        m = re.match(r"### Human: (.*?) ### Assistant: (.*)", text, re.S)
        if m and len(m.group(2)) < 700 and len(m.group(1)) < 200 and text.isascii() and "http" not in text:
            yield m.group(1).strip(), m.group(2).strip()


def gsm8k(path, n):
    rows = [json.loads(r) for r in open(path, encoding="utf-8")]
    rows = [r for r in rows if len(r["question"]) < 230 and r["answer"].count("\n") <= 3 and r["question"].isascii()]
    R.shuffle(rows)
    for r in rows[:n]:
        steps, _, result = re.sub(r"<<.*?>>", "", r["answer"]).partition("\n#### ")
        yield r["question"], f"{steps}\nThe answer is {result}."


def task_dialogues(path, n):
    rows = [json.loads(r) for r in open(path, encoding="utf-8")]
    R.shuffle(rows)
    for r in rows[:n]:
        turns = [m["content"] for m in r][:12]
        if r[0]["role"] == "user" and len(turns) >= 4:
            yield chat(*turns[:len(turns) // 2 * 2])


def split(path):
    """Documents of a cleaned corpus."""
    return open(path, encoding="utf-8").read().split(EOT)


def main(clean, raw, out, number="1"):
    global P
    P = {"1": passes.FIRST, "2": passes.SECOND}[number]
    R.seed(P.seed)
    if P is passes.SECOND:
        second.extend()
        BARE.extend(second.BARE)
    tiny, pratham = split(f"{clean}/tiny.txt"), [p.split("\n\n", 1)[-1] for p in split(f"{clean}/pratham.txt")[:-8]]
    tiny_train = tiny[80:]  # the first stories are held out
    data = {}

    def add(name, rows):
        data[name] = [chat(*r) if isinstance(r, tuple) else r for r in rows]

    add("countries", countries(7000)), add("animals", animals(6000)), add("words", words(8000)), add("arithmetic", arithmetic(6000))
    add("lists", lists(3500)), add("authors", authors(1500)), add("makers", makers(800)), add("people", people(2000)), add("things", things(7000))
    add("answers", answers(P.answers)), add("fun", fun(5000)), add("riddles", riddles(500)), add("made stories", made_stories(P.made_stories))
    if P.tiny_answers:
        add("tiny stories", tiny_stories(tiny_train, pratham, 1))
    add("about stories", about_stories(tiny_train, 6000))
    add("sentence tasks", sentence_tasks(tiny_train, 5000)), add("talk", talk(10000)), add("greetings", greet(1200)), add("memory", memory(4500))
    add("unknown", unknown(1500)), add("mixed", mixed(P.mixed)), add("statements", said(2500)), add("pets", pets(1500)), add("scenes", scenes(1500))
    add("encyclopedia", wiki_definitions(split(f"{clean}/wiki.txt")[:-60], 6000)), add("dolly", dolly(f"{raw}/instruct/dolly-openqa/chinkara-open_qa.jsonl"))
    add("gsm8k", gsm8k(f"{raw}/instruct/gsm8k/train.jsonl", 1500)), add("task dialogues", task_dialogues(f"{clean}/sgd.jsonl", 2500))
    rows = [r for part in data.values() for r in part]
    R.shuffle(rows)
    with open(out, "w", encoding="utf-8") as f:
        for r in rows:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    for name, part in data.items():
        size = sum(len(t) for c in part for _, t in c)
        print(f"{name:16} {len(part):6} conversations {size / 1e6:6.2f} M characters")


if __name__ == "__main__":
    main(*sys.argv[1:])
