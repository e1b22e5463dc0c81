"""Short stories from hand-written plots, so that requests for a topic get a story on that topic.

A plot is a text with choices {a|b|c}, possibly nested, and slots <...> for the
hero, a friend, a place and a thing.
"""
import re

KIDS = [("Mia", "she"), ("Tom", "he"), ("Lena", "she"), ("Sam", "he"), ("Nora", "she"), ("Ben", "he"), ("Ada", "she"),
        ("Leo", "he"), ("Ruby", "she"), ("Max", "he"), ("Ivy", "she"), ("Oscar", "he"), ("Zoe", "she"), ("Finn", "he"),
        ("Maya", "she"), ("Omar", "he"), ("Anna", "she"), ("Jack", "he"), ("Clara", "she"), ("Hugo", "he"),
        ("Priya", "she"), ("Kofi", "he"), ("Yuki", "she"), ("Diego", "he"), ("Lily", "she"), ("Theo", "he")]
PET_NAMES = ["Pip", "Bramble", "Dusty", "Olive", "Biscuit", "Hazel", "Pepper", "Tilly", "Moss", "Clover", "Rusty", "Poppy",
             "Button", "Juniper", "Nibble", "Ember", "Willow", "Bruno", "Daisy", "Toby", "Luna", "Otto", "Milo", "Rosie",
             "Coco", "Fern", "Marlow", "Sunny", "Tuck", "Violet", "Bella", "Chip", "Misty", "Hopper", "Gus", "Nell"]
SHE = set("Olive Hazel Tilly Poppy Willow Daisy Luna Rosie Coco Fern Violet Bella Misty Nell Juniper Clover Anna Carla Emma Grace Iris Kate Maria Olivia "
          "Rosa Sarah Vera Yara Dina Elena Gita Hana Laura Nina Sofia Tina Zoe Lisa Julia Molly Zara Nia Lucy Sue Jill Ella Eva Aisha Mei Alma Nova "
          "Ginger".split())
# species, home, a skill it would like to have
HEROES = [row.split("|") for row in """
cat|a warm house at the end of a lane|catch the moon
dog|a red house by the park|swim
fox|a den at the edge of the forest|dance
rabbit|a burrow under an oak tree|jump over the stream
mouse|a hole behind the kitchen wall|play the drum
bear|a cave on the hill|fish
owl|a hollow tree|sing
frog|a green pond|jump over the log
duck|a quiet lake|dive
penguin|the snowy coast|slide down the big hill
elephant|the wide grassland|paint
lion|the golden plains|roar
tiger|the deep jungle|swim
monkey|the tall trees of the jungle|juggle
giraffe|the grassland|sing
hedgehog|a pile of leaves in the garden|roll down the hill
squirrel|a nest in a tall pine|climb to the top of the tree
turtle|a small pond|win a race
bird|a nest in the apple tree|fly
bee|a busy hive|dance
butterfly|a sunny meadow|fly over the wall
horse|a farm in the valley|jump over the fence
cow|a green farm|skip
pig|a muddy farmyard|bake bread
sheep|a hill farm|knit
chicken|a little farmyard|fly
goat|a rocky mountain|play the flute
wolf|the dark forest|sing
whale|the deep blue sea|sing
dolphin|the warm sea|leap over a boat
fish|a clear river|jump out of the water
crab|a sandy beach|walk straight
octopus|a garden under the sea|play eight drums at once
snail|a garden full of lettuce|reach the top of the wall
spider|a corner of the barn|spin a perfect web
koala|a tall tree|stay awake all day
panda|a bamboo forest|do a handstand
dragon|a cave high in the mountains|breathe fire
unicorn|a silver forest|gallop over a rainbow
robot|a workshop full of tools|tell a joke
fairy|a flower in the garden|make stars
wizard|a crooked tower|turn a stone into a cake
witch|a cottage in the woods|fly on a broom
knight|an old castle|ride a horse
princess|a castle on a hill|climb the high tower
prince|a castle by the sea|cook
king|a great palace|bake bread
queen|a golden palace|plant a garden
pirate|a ship with patched sails|read a map
ghost|an old empty house|say boo
monster|a cave behind the waterfall|make friends
giant|a house in the clouds|whisper
alien|a small purple planet|ride a bicycle
snowman|a white garden|stay through the spring
teddy bear|a shelf in the nursery|do a somersault
train|a little station|climb the steep hill
boat|a small harbour|cross the bay
star|the night sky|shine
cloud|the blue sky|make rain
tree|the middle of a field|touch the sky
kitten|a basket by the stove|climb the curtains
puppy|a farmhouse|catch a ball
dinosaur|a warm green valley|run
astronaut|a little silver rocket|land softly
farmer|a farm in the valley|play the fiddle
baker|a shop on the corner|bake the tallest cake in town
sailor|a small white boat|tie the hardest knot
teacher|a village by the river|ride a horse
girl||ride a bicycle
boy||swim
girl||play the violin
boy||whistle
girl||ice skate
boy||bake a cake
child||swim
""".strip().splitlines()]
MORE = ("banana spoon pencil sock cactus toaster mermaid elf gnome troll goblin vampire superhero detective ninja clown doctor nurse painter car bus "
        "bicycle book candle clock shoe leaf flower mushroom apple pumpkin carrot potato pancake mountain river rock moon raindrop snowflake balloon "
        "kite lamp teapot chair bridge lighthouse computer spaceship hamster parrot llama otter raccoon badger beaver moose reindeer walrus seal "
        "flamingo peacock ladybug caterpillar grasshopper worm crocodile hippo rhino camel donkey swan eagle owl crow goose bat zebra kangaroo "
        "lizard snake shark gorilla wolf fox dragon robot cat dog").split()
SKILLS = ["sing", "dance", "swim", "whistle", "tell a joke", "bake a cake", "paint", "play the drum", "jump over the stream", "juggle", "ride a bicycle"]
HEROES += [[w, "", s] for w, s in zip(MORE, SKILLS * 10) if w not in [h[0] for h in HEROES]]
ADJECTIVES = "lonely brave lazy grumpy clumsy clever shy tiny friendly hungry sleepy curious proud forgetful magic little silly old young kind greedy funny".split()
PEOPLE = {"doctor", "nurse", "painter", "clown", "detective", "superhero", "ninja", "mermaid", "girl", "boy", "child", "wizard", "witch", "knight", "princess", "prince", "king", "queen", "pirate", "astronaut",
          "farmer", "baker", "sailor", "teacher", "fairy"}
FEMALE = {"mermaid", "girl", "witch", "princess", "queen", "fairy", "cow", "chicken"}
MALE = {"boy", "wizard", "prince", "king", "snowman"}
PLACES = ["the forest", "the beach", "the park", "the mountains", "the village", "the meadow", "the river", "the garden", "the city",
          "the old barn", "the lake", "the market", "the castle", "the library", "the hills", "the desert", "the jungle", "the old mill", "the island"]
OBJECTS = ["red ball", "blue kite", "little key", "silver bell", "wooden boat", "yellow hat", "magic lamp", "music box", "old map",
           "golden ring", "warm scarf", "paper lantern", "shiny stone", "green umbrella", "toy train", "drum", "storybook", "tin star"]
TREATS = ["apple pie", "honey cake", "warm bread", "strawberries", "soup", "pancakes", "ginger biscuits", "berry jam"]

OPEN = """{Once upon a time|Once upon a time|Long ago|One day, not so long ago|In a faraway land|Once}, there {was|lived} {a|a small|a young|a cheerful|a curious|a gentle|a shy|a kind} <s> {named|called} <N>. <Home>"""

PLOTS = {
    "lost": ["about losing something", "about a lost treasure", "about finding something", """
<N> had {one special thing|a treasure that <he> loved more than anything}: a <o>. {<He> took it everywhere.|<He> looked at it every night before bed.|It had been a present from <his> grandmother.}

One {morning|windy day|afternoon}, <N> {looked for the <o>, and it was gone|reached for the <o>, but it was not there}. "Oh no! Where can it be?" {cried|said} <N>. <He> looked {under the bed, behind the door and even in the soup pot|high and low|in every corner}, but {it was nowhere to be found|the <o> was not there}.

{A <f> named <F> heard <him> and came over.|<F> the <f> was passing by and stopped.} "{Why are you so sad|What is the matter}?" asked <F>. <N> told <F> {everything|the whole story}. "{Do not worry|Don't cry}," said <F>. "{We will look together|Two can search better than one}."

They {walked|went} back to <p>, where <N> had {played|been} the day before. They {looked behind every bush|turned over every stone|asked everyone they met}. {The sun was going down when|Just as they were about to give up,} <F> {saw something shine in the grass|saw something small under a leaf}. It was the <o>!

"{You found it|There it is}! {Thank you, thank you|Thank you so much}!" {shouted|said} <N>, and {hugged <F>|jumped for joy}. That evening they {shared <t>|sat together and ate <t>} and {laughed|talked} until the stars came out. <N> still loved the <o>, but now <he> had something even better: {a true friend|a friend}."""],
    "brave": ["about being brave", "about courage", "about facing a fear", """
<N> was {a good friend to everyone|happy most of the time}, but <he> had a secret: <he> was afraid of {the dark|thunder|deep water|high places|loud noises}. {When others played, <he> stayed at home.|<He> never told anyone about it.}

One {evening|day}, <N> heard a {small voice|cry} coming from <p>. "Help! {Please help me|Is anybody there}?" It was <F> the <f>, who {had slipped and could not get up|was stuck between two rocks|had lost the way}. {Nobody else was near.|There was no time to call anyone else.}

<N>'s heart {beat fast|went thump, thump, thump}. {<He> wanted to run away.|<His> knees shook.} But then <he> thought, "{My friend needs me|If I do not help, who will}?" <He> took a deep breath and {went, one small step at a time|took one step, and then another}. "{I am coming|Hold on}, <F>!" <he> called.

{It was not easy, but|It took a long time, but at last} <N> reached <F> and {pulled <F> free|helped <F> up}. "{You saved me|You are so brave}!" said <F>. "{But I was afraid the whole time|I was very scared}," said <N>. <F> smiled. "{Being brave means that you are afraid and help anyway|That is what being brave is: to be afraid and still do the right thing}."

From that day on, <N> was {a little less afraid|not so afraid any more}, and {whenever <he> felt scared, <he> remembered that day|the two of them were the best of friends}."""],
    "practice": ["about never giving up", "about learning something new", "about practice", """
More than anything, <N> wanted to <k>. {Every day <he> watched the others and dreamed about it.|All <his> friends could do it, but <N> could not.}

On the first day <he> tried, {and it went all wrong|but <he> fell flat on <his> nose}. {The others laughed.|A <f> named <F> laughed a little.} On the second day <he> tried again, {and it went wrong again|but it was no better}. "{I will never learn it|Maybe I am just not good at this}," said <N> {sadly|with a sigh}.

{An old|A wise old} <f> {called|named} <F> sat down beside <him>. "{Do you know how many times I failed before I learned|How many times have you tried}?" asked <F>. "{Two|Ten} times," said <N>. "{Then try once more|That is a good start}," said <F>, "{and tomorrow once more after that|and I will stay here and cheer for you}."

So <N> {practised|tried} every morning and every evening. {Some days were good, and some were bad.|Little by little, it got easier.} {A week went by, and then another.|Days passed.} And then, one {bright|sunny|clear} morning, it happened: <N> was able to <k>! "{I did it! I did it|Look at me}!" <he> shouted.

{Everyone in <p> clapped and cheered.|<F> clapped and smiled.} "{I knew you could do it|You see}," said <F>. "{You did not give up|You kept trying}." And <N> felt {like the happiest <s> in the world|proud from head to toe}."""],
    "share": ["about sharing", "about kindness", "about learning to share", """
One day <N> found {a big basket of <t>|a whole basket full of <t>} near <p>. "{It is all mine|I found it, so I will keep it}!" said <N>, and {hid it at home|carried it away quickly}.

Soon {a <f> named <F>|<F> the <f>} came by. "{I am so hungry|I have not eaten all day}," said <F>. "{Do you have anything to eat|May I have a little}?" <N> looked at the basket. "{No, I have nothing|It is only enough for me}," <he> said. <F> walked away {slowly|with a sad face}.

<N> {sat down and began to eat|ate and ate}. But {the food did not taste good|it was strange: the more <he> ate, the worse <he> felt}. <He> {kept thinking of|could not forget} the sad face of <F>. "{It is no fun to eat alone|I was not kind}," <N> said to <himself>.

So <he> picked up the basket and ran after <F>. "{Wait! I am sorry|Please come back}!" <he> called. "{I have plenty, and I want to share it with you|There is enough for both of us}." <F>'s face {lit up|broke into a smile}. They sat down {under a tree|in the sun} and ate together, {and now everything tasted wonderful|and it was the best meal <N> had ever had}.

{After that day,|From then on,} <N> always shared what <he> had, and <he> was never lonely again."""],
    "help": ["about helping others", "about a good deed", "about kindness", """
One {cold|rainy|hot} day <N> was walking {near|through} <p> when <he> saw {a <f>|a tiny <f>} {caught in a net|stuck in the mud|with a hurt foot}. "{Please help me|Will you help me}," said the <f>. "{My name is|I am} <F>."

<N> was in a hurry, but <he> stopped at once. <He> {worked carefully until <F> was free|pulled and pulled until <F> was free}, and gave <F> some {water|bread|<t>}. "How can I thank you?" asked <F>. "{Just be well|You do not have to}," said <N> with a smile, and went on <his> way.

{Many days later,|In the winter,|A month later,} a great {storm|snowstorm} came. <N> {lost the way|could not see the path} and {was cold and tired|did not know where to go}. {The wind howled and the light was almost gone.|Night was coming.} "{I will never get home|What shall I do}?" <N> whispered.

Then <he> heard a voice. "{Follow me|This way}!" It was <F>! <F> knew every {stone|path} in <p> and led <N> {safely home|home through the dark}, step by step. 

"{You came back for me|You saved me}," said <N>. "{You helped me once|You were kind to me}," said <F>, "and {now I could help you|kindness always finds its way back}." They {warmed themselves by the fire|sat by the fire} and {shared some <t>|drank hot tea}, and they were friends for the rest of their days."""],
    "home": ["about getting lost", "about finding the way home", "about an adventure", """
One day <N> {saw a bright blue butterfly|heard beautiful music far away} and followed it. <He> {went past|walked past} <p>, over the bridge and {up a hill|down a winding path}, further than <he> had ever gone before. When <N> {looked around|stopped}, {nothing looked familiar|everything was strange}. <He> was lost.

At first <N> {wanted to cry|was frightened}. Then <he> remembered what <his> mother always said: "{If you are lost, stay calm and think|Take a breath and look around you}." So <he> sat down and thought. "{I crossed a bridge, so there must be a river|I know that our home is near the river}," said <N>. "{If I find the river, I can find my way|The river will show me the way}."

On the way <he> met <F> the <f>. "{Excuse me|Hello}," said <N>, "{do you know where the river is|which way is the river}?" "{Of course|It is not far}," said <F>. "{Come along, I will show you|I am going there myself}." They walked together and {told each other stories|sang songs}, and {the path did not seem so long|<N> was not afraid any more}.

At last they {heard the water|saw the river sparkle}. There was the bridge, and behind it <N> could see {a light in the window|home}. "{I am home|There it is}!" <N> cried. <His> mother {ran out and held <him> tight|hugged <him>}. "{Where have you been|I was so worried}?" "{I went too far|I had an adventure}," said <N>, "but I {kept calm and made a friend|came back, and I brought a friend}." And that night, <N> slept very, very well."""],
    "friend": ["about friendship", "about making a friend", "about a new friend", """
<N> {had everything <he> needed, except a friend|was often lonely}. {Every day <he> played alone.|The others were always busy.}

One day {a stranger came to|someone new came to} <p>. It was <F>, a <f> {with a funny voice|with very muddy feet|who wore a big hat}. {Everyone whispered.|The others kept away.} "{Look how strange <F> is|That one is not like us}," they said.

But <N> {was curious|thought, "It must be hard to be new"}. <He> went up to <F> and said, "Hello, I am <N>. {Do you want to play|Would you like some <t>}?" <F> looked surprised. "{Nobody has ever asked me that before. |With me? }{Yes, please|I would love to}!"

They {played all afternoon|built a small house out of branches|flew a kite}. <F> knew {games that nobody in <p> had ever seen|the funniest stories}, and <N> laughed until <his> sides hurt. {Soon the others came closer to watch.|After a while the others came to see.} "{May we play too|Can we join you}?" they asked. "{Of course|The more the better}," said <F>.

That night <N> lay in bed and smiled. "{It only takes one hello to make a friend|A friend can look quite different from you}," <he> thought, and {fell asleep|closed <his> eyes}."""],
    "truth": ["about telling the truth", "about honesty", "about a mistake", """
One day <N> was playing {inside|in the house} with a <o>, even though <he> had been told not to. {Crash!|There was a loud crash.} The {big blue vase|old clock|lamp} fell {to the floor|down} and broke {into pieces|in two}.

<N> {went cold|felt hot and cold}. "{What will Grandmother say|What have I done}?" <he> thought. <He> hid the pieces {under the bed|behind the curtain}. When Grandmother came in and asked, "{Where is it|What happened here}?", <N> said, "{I don't know. Maybe it was <F> the <f>|It must have been <F>}."

Grandmother went to {ask|look for} <F>. <F> looked {very sad|confused} and said, "{But I did not do anything|It was not me}." {<N> saw the sad face, and <his> tummy hurt.|<N> could not eat <his> supper.} {A lie is a heavy thing to carry.|That night <he> could not sleep.}

At last <N> went to Grandmother. "{It was me|I did it}," <he> said in a small voice. "{I broke it and told a lie. I am sorry|I was afraid that you would be angry. I am so sorry}." Grandmother was quiet for a moment. Then she {took <N>'s hand|smiled}. "{Things can be mended|A vase is only a thing}," she said. "{But it took courage to tell the truth, and I am proud of you|Thank you for telling me the truth}."

<N> said sorry to <F> too, and {together they glued the pieces|the three of them fixed it with glue}. {It never looked quite the same, but <N> liked it even better.|And <N> never blamed anyone else again.}"""],
    "treasure": ["about a treasure", "about a treasure hunt", "about an adventure", """
One {rainy|quiet} day <N> found an old map {inside a book|in a bottle|in a dusty box}. There was a red cross on it, {right behind|not far from} <p>. "{A treasure|It must be a treasure map}!" said <N>, and ran to tell <F> the <f>. "{Let's go and find it|We must go at once}!" said <F>.

They packed {some <t> and a rope|a lamp and some <t>} and set off. First they {crossed a river on wet stones|climbed a steep hill}. {<F> almost fell, but <N> held on tight.|<N> got tired, but <F> told jokes all the way.} Then they {crept through a dark cave|walked through a field of tall grass}. {Drip, drop, went the water.|Something rustled, but it was only the wind.} "Are you scared?" asked <F>. "{A little|Maybe a bit}," said <N>, "but {I am glad that you are here|not so much with you beside me}."

At last they {found the spot|came to the red cross} and began to dig. {Clunk!|They dug and dug.} There was {a wooden chest|a little chest}! They opened it with {shaking|trembling} hands. Inside there was no gold. There was only {a letter|a piece of paper}, which said: "{The best treasure is a friend to share the journey|If you have come this far together, you have already found the treasure}."

<N> looked at <F>, and <F> looked at <N>, and they {began to laugh|both smiled}. "{It is true|The letter is right}," said <N>. They ate {their <t>|the rest of the <t>} on the hill and watched the sun go down, and {they thought it was the best day ever|then they walked home arm in arm}."""],
    "night": ["for bedtime", "about a strange noise at night", "about the night", """
One night <N> was {almost asleep|lying in bed} when <he> heard a {strange|soft} sound. {Tap, tap, tap.|Scratch, scratch.|Whoo, whoo.} <N> {pulled the blanket over <his> head|sat up}. "{What is that|Who is there}?" <he> whispered. {Nobody answered.|There was no answer.} {Tap, tap, tap,|And there it was again,} it went, {a little louder|right outside}.

<N> {thought of monsters|imagined a huge monster with yellow eyes}. {But then <he> thought, "Maybe it is someone who needs help."|But <he> was curious too.} <He> {lit a small lamp|took a little light} and {opened the door|went to look}, very slowly.

Outside sat {a tiny, wet <f>|a small <f>}, shivering {in the rain|in the cold}. "{I am sorry to wake you|Please don't be angry}," said the little one. "{My name is <F>. I am afraid of the dark, and I saw your light|I am <F>, and I cannot find my home}." <N> {began to laugh|smiled}. "{And I was afraid of you|I thought that you were a monster}!" <he> said. "{Come in, come in|Come inside}."

<N> gave <F> a warm blanket and some <t>. They {talked for a while|told each other stories} {until the rain stopped|while the moon came out from behind the clouds}. {In the morning they went together to find <F>'s home.|Soon both of them were fast asleep.} And {ever after|from that night on}, when <N> heard a sound in the dark, <he> thought, "{Perhaps it is a friend|It may be a friend}." """],
    "seed": ["about patience", "about a garden", "about growing something", """
One spring day <N> {got|found} a tiny {brown|black} seed. "{What will it become|What are you}?" <he> asked. "{Plant it and wait|You will see}," said <F> the <f>, who {knew all about gardens|was old and wise}. So <N> {dug a small hole near <p>|put it in the soft earth} and {covered it|gave it some water}.

The next morning <N> {ran out to look|hurried outside}. Nothing. {The day after, nothing again.|The next day there was still nothing.} "{It is broken|It does not work}," said <N>. <F> {laughed softly|shook <fhis> head}. "{Good things take time|A seed cannot be hurried}. {Give it water, give it sun, and wait|Sing to it, if you like, and wait}."

So <N> {brought water every day|watered it every day} and {sang little songs|told it stories}. {It rained, and the sun shone.|A week went by, and another.} Then, one morning, there was {a tiny green tip|a little green leaf}! "{Look! Look|It is growing}!" shouted <N>. Every day it grew {a little more|taller}, until it was {as tall as <N>|taller than the fence}. And one day it opened {a great yellow flower, as bright as the sun|a flower as big as a plate}.

{Everyone came to see it.|Bees came to visit, and so did the neighbours.} "{How did you do it|What is your secret}?" they asked. <N> {winked at|looked at} <F> and said, "{I waited|Water, sun and patience}." """],
    "surprise": ["about a birthday", "about a party", "about a surprise", """
It was <N>'s birthday, but {nobody said a word about it|it seemed that everyone had forgotten}. In the morning <he> met <F> the <f>. "{Good morning|Hello}, <F>! {Do you know what day it is|Isn't it a special day}?" "{It is Tuesday, I think|Just an ordinary day}," said <F>, and {hurried away|ran off}.

<N> went to <p>. {There was nobody there.|It was empty.} {Everyone was busy, and nobody had time to play.|One by one, all <his> friends said that they were too busy.} "{They have all forgotten me|Nobody remembers}," thought <N>, and {a tear ran down <his> face|walked home slowly with <his> head down}.

{When <he> opened the door, it was dark inside.|It was dark when <he> got home.} Then, all at once, {the lights went on|a hundred candles shone}. "SURPRISE!" {There stood|They were all there:} <F> and all <his> friends, with {paper hats|balloons} and a huge {birthday cake|plate of <t>}. "{Happy birthday|Happy birthday, dear <N>}!" they {sang|shouted}.

"{I thought that you had forgotten|You did remember}!" said <N>. "{How could we forget you|Forget you? Never}?" said <F>, and gave <him> a {parcel|present}. Inside there was a <o>, {just what <N> had always wanted|the very one <he> had wished for}. They danced and {played games|sang} until late, and <N> {thought that <he> was the luckiest <s> in the world|knew that <he> was loved}."""],
    "race": ["about a race", "about winning", "about a contest", """
Every year there was a big race {around|through} <p>, and this year <N> {wanted to win|was going to run} too. "{You? You are much too slow|You will never win}," said <F> the <f>, {who won every year|who was very proud}. "{I will do my best|We shall see}," said <N>.

{Ready, steady, go!|The bell rang, and off they went!} <F> {shot ahead|ran in front}, and <N> {came last|was far behind}. But <N> did not {stop|give up}. {Step by step, <he> went on.|<He> went at <his> own pace and kept going.} {Soon <he> passed one runner, and then another.|The others got tired, but <N> kept on.}

Near the end, <N> {came around a bend and|suddenly} saw <F> sitting {on the ground|beside the road}. "{I hurt my foot|I cannot go on}," said <F>, {almost crying|with tears}. The finish was {very near|only a few steps away}. {<N> could win now!|If <N> ran on, <he> would be first.} <N> looked at the finish, and then at <F>. Then <he> {stopped|turned back}. "{Lean on me|Come, hold on to me}," <he> said. "{We will finish together|Let us go together}."

{Side by side,|Slowly, slowly,} they crossed the line, {last of all|long after the others}. But {everyone cheered louder than ever before|the whole crowd stood up and clapped}. "{I was unkind to you, and still you helped me|But now you have lost the race}," said <F>. "{Some things matter more than winning|A race comes every year, but a friend does not}," said <N>. And {the two were friends from that day on|<he> was given a medal for the kindest heart}."""],
    "wish": ["about a wish", "about magic", "about a magic thing", """
One day, {in|near} <p>, <N> found a {dusty|strange} <o>. When <he> {rubbed it clean|picked it up}, it began to {glow|hum}. "{You have one wish|I can grant you one wish}," said a {tiny|soft} voice. "{Choose well|Think before you speak}."

One wish! <N> {thought and thought|sat down to think}. "{I could wish for a mountain of <t>|I could ask for gold}," <he> said. "{Or I could be the strongest of all|Or I could wish to be famous}." {It was very hard to choose.|<He> thought about it all day long.}

On the way home <he> met <F> the <f>, who was {crying|very sad}. "{What is wrong|Why are you crying}?" asked <N>. "{My little brother is ill, and nothing helps|My house was washed away by the rain, and I have nowhere to sleep}," said <F>. <N> looked at the <o>, and then at <F>. {<He> did not have to think any longer.|Suddenly the choice was easy.} "{I wish that everything will be well again for <F>|I wish for <F> to be happy again}," said <N>.

{There was a flash of golden light.|The <o> shone like a star.} {The next day <F> came running.|A moment later <F> was laughing with joy.} "{It is a wonder! All is well|Everything is good again}!" <F> hugged <N> tightly. The magic was gone, and the <o> was only a <o>. But <N> {was happier than any wish could have made <him>|did not mind at all, for <his> heart was warm and light}."""],
}

# by plot: what its hero does, for a request, and what it teaches
WHO = {"lost": "who loses something", "brave": "who is afraid", "practice": "who never gives up", "share": "who learns to share",
       "help": "who helps someone", "home": "who gets lost", "friend": "who finds a friend", "truth": "who breaks something",
       "treasure": "who finds a map", "night": "who hears a noise at night", "seed": "who plants a seed",
       "surprise": "who has a birthday", "race": "who runs a race", "wish": "who gets a wish"}
MORALS = {"lost": "A good friend is worth more than any treasure.", "brave": "Being brave means helping even when you are afraid.",
          "practice": "If you do not give up, you can learn hard things.", "share": "Good things are better when you share them.",
          "help": "Kindness comes back to you.", "home": "Stay calm when you are lost, and think.", "friend": "One friendly word can start a friendship.",
          "truth": "Telling the truth is better than hiding a mistake.", "treasure": "The best treasure is a good friend.",
          "night": "What frightens us may turn out to be a friend.", "seed": "Good things take time.", "surprise": "Your friends think of you even when you do not notice.",
          "race": "Kindness matters more than winning.", "wish": "Helping someone else can make you happier than any wish."}
# empty in the first pass, filled by second.py: further words of requests by plot, fears, homes that one lives on
HINTS, FEARS, ON = {}, [], []


def spin(rng, text):
    """Resolve the choices, innermost first."""
    while True:
        m = re.search(r"\{([^{}]*)\}", text)
        if not m:
            return text
        text = text[:m.start()] + rng.choice(m.group(1).split("|")) + text[m.end():]


def article(noun):
    """a or an."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def pronouns(he):
    """The forms of he or she."""
    if he == "she":
        return {"he": "she", "his": "her", "him": "her", "himself": "herself", "He": "She", "His": "Her"}
    return {"he": "he", "his": "his", "him": "him", "himself": "himself", "He": "He", "His": "His"}


def story(rng, species=None, name=None, plot=None, friend=None, place=None, thing=None, adj=None, fear=None, skill=None,
          lives=None, extra=None, treat=None, close=None):
    """One story: (facts about it, text)."""
    row = rng.choice([h for h in HEROES if h[0] == species] if species else HEROES)
    s, home, able = row
    skill = skill or able
    fear = fear or (rng.choice(FEARS) if FEARS else None)
    if name and ((s in FEMALE) != (name in SHE) and s in FEMALE | MALE):
        name = None
    he = ("she" if name in SHE else "he") if name else "she" if s in FEMALE else "he" if s in MALE else rng.choice(["he", "she"])
    if s in PEOPLE:
        pool = [n for n, p in KIDS if p == he]
    else:
        pool = [n for n in PET_NAMES if (n in SHE) == (he == "she")]
    n = name or rng.choice(pool)
    animals = [h[0] for h in HEROES if h[1] and h[0] not in PEOPLE and h[0] not in
               ("star", "cloud", "tree", "train", "boat", "snowman", "giant", "whale", "dragon", "elephant", "kitten", "puppy")]
    f = friend or rng.choice([a for a in animals if a != s])
    fname = rng.choice([x for x in PET_NAMES if x != n])
    key = plot or rng.choice(list(PLOTS))
    place = place or rng.choice(PLACES)
    thing = thing or rng.choice(OBJECTS)
    treat = treat or rng.choice(TREATS)
    body = PLOTS[key][-1].strip()
    if lives:
        lives = spin(rng, "{<He> lived " + lives + ".|<N> lived " + lives + ".|<He> lived " + lives + " with <his> family.}")
    elif home:
        lives = spin(rng, "{<He> lived in <h>.|<N> lived in <h>.|<His> home was <h>.|<He> lived in <h> with <his> family.}")
        if home.startswith(("the ", "a quiet lake", "a green pond")) and "sea" in home or home.startswith("the night"):
            lives = lives.replace("<His> home was <h>", "<He> lived in <h>")
    elif s not in PEOPLE:
        lives = spin(rng, "{<He> lived near <p>.|<N> lived close to <p>.|<His> home was near <p>.}")
    else:
        lives = spin(rng, "{<He> lived near <p>.|<N> lived in a small house near <p>.|<He> lived with <his> grandmother near <p>.}")
    if extra:
        lives += " " + spin(rng, extra)
    if close:
        body += " " + close
    opening = re.sub(r"\{a\|a small.*?\} <s>", "a " + adj + " <s>", OPEN) if adj else OPEN
    text = spin(rng, opening.replace("<Home>", lives) + "{ |\n\n}" + body)
    slots = {"N": n, "s": s, "F": fname, "f": f, "p": place, "o": thing, "t": treat, "k": skill, "h": home, "x": fear, "fhis": "its",
             **pronouns(he)}
    for _ in range(2):
        text = re.sub(r"<(\w+)>", lambda m: slots[m.group(1)], text)
    text = re.sub(r"\b([Aa]) (?=[aeio]|umb)(?!one\b|once)", r"\1n ", text)
    text = re.sub(r" +\n", "\n", text).strip()
    if ON:
        text = re.sub(rf"lived in (?={'|'.join(ON)})", "lived on ", text)
    text = re.sub(r"(^|[.!?] |\n)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text) if text[0].islower() else text
    return {"species": s, "name": n, "friend": f, "friend_name": fname, "plot": key, "place": place, "thing": thing,
            "moral": rng.choice(PLOTS[key][:-1])}, text


if __name__ == "__main__":
    import random
    r = random.Random(1)
    for _ in range(4):
        print(story(r), "\n")
