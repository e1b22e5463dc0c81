"""The numbers in which the two training passes differ; what the second adds to the stories is in second.py."""
from types import SimpleNamespace

FIRST = SimpleNamespace(
    # chat.py: seed; shares of bare requests, of requests with a detail, of given names for a girl or boy, and of
    # TinyStories among the beginnings to continue; heroes drawn more often; numbers of conversations
    seed=7, bare=0, detail=0, named_child=.2, tiny_start=.6, often=[],
    answers=17000, made_stories=14000, mixed=12000, tiny_answers=True,
    # tokenise.py: sources, and shuffles of the chats
    texts=["wiki", "books", "children", "pratham", "tiny"], dialogues=["sgd"], copies=3,
    # train.py: where the parts begin, as shares of the time; peak rates; mixtures
    chat_from=0.70, quant_from=0.85, decay_from=0.50, muon=0.015, adam=0.0015,
    read={"wiki": 0.40, "books": 0.24, "children": 0.07, "pratham": 0.005, "tiny": 0.015, "sgd": 0.04, "chat_all": 0.23},
    talk={"wiki": 0.15, "books": 0.07, "children": 0.04, "tiny": 0.01, "chat": 0.73})

SECOND = SimpleNamespace(
    seed=9, bare=.3, detail=.5, named_child=.5, tiny_start=.1,
    often=["girl", "boy"] * 8 + ["dragon", "cat", "dog", "robot", "princess", "fox", "mouse", "rabbit", "bear", "unicorn"] * 2,
    answers=14000, made_stories=34000, mixed=14000, tiny_answers=False,
    texts=["wiki", "books", "children", "tiny"], dialogues=[], copies=1,
    chat_from=0.0, quant_from=0.70, decay_from=0.10, muon=0.009, adam=0.0009,
    read={},  # no reading part
    talk={"wiki": 0.16, "books": 0.08, "children": 0.04, "tiny": 0.01, "chat": 0.71})
