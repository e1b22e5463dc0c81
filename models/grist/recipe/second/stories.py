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
           "golden ring", "telescope", "silver mirror", "tiny clock", "violin", "compass", "candle", "white shell", "old book", "gold coin", "glass marble", "wooden horse",
           "puppet", "feather", "crystal", "magic stick", "warm scarf", "paper lantern", "shiny stone", "green umbrella", "toy train", "drum", "storybook", "tin star"]
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
<N> was {a good friend to everyone|happy most of the time}, but <he> had a secret: <he> was afraid of <x>. {When others played, <he> stayed at home.|<He> never told anyone about it.}

One {evening|day}, <N> heard a {small voice|cry} coming from <p>. "Help! {Please help me!|Is anybody there?}" It was <F> the <f>, who {had slipped and could not get up|was stuck between two rocks|had lost the way}. {Nobody else was near.|There was no time to call anyone else.}

<N>'s heart {beat fast|went thump, thump, thump}. {<He> wanted to run away.|<His> knees shook.} But then <he> thought, "{My friend needs me!|If I do not help, who will?}" <He> took a deep breath and {went, one small step at a time|took one step, and then another}. "{I am coming|Hold on}, <F>!" <he> called.

{It was not easy, but|It took a long time, but at last} <N> reached <F> and {pulled <F> free|helped <F> up}. "{You saved me|You are so brave}!" said <F>. "{But I was afraid the whole time|I was very scared}," said <N>. "{You know that I am afraid of <x>|I am even afraid of <x>}." <F> smiled. "{Being brave means that you are afraid and help anyway|That is what being brave is: to be afraid and still do the right thing}."

From that day on, <N> was {a little less afraid|not so afraid any more}, and {whenever <he> felt scared, <he> remembered that day|the two of them were the best of friends}."""],
    "practice": ["about never giving up", "about learning something new", "about practice", """
More than anything, <N> wanted to <k>. {Every day <he> watched the others and dreamed about it.|All <his> friends could do it, but <N> could not.}

On the first day <he> tried, {and it went all wrong|but it was a disaster}. {The others laughed.|A <f> named <F> laughed a little.} On the second day <he> tried again, {and it went wrong again|but it was no better}. "{I will never learn it|Maybe I am just not good at this}," said <N> {sadly|with a sigh}.

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
One {cold|rainy|hot} day <N> was walking {near|through} <p> when <he> saw {a <f>|a tiny <f>} {caught in a net|stuck in the mud|with a hurt foot}. "Please help me," said the <f>. "{My name is|I am} <F>."

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

But <N> {was curious.|thought, "It must be hard to be new."} <He> went up to <F> and said, "Hello, I am <N>. {Do you want to play|Would you like some <t>}?" <F> looked surprised. "{Nobody has ever asked me that before. |With me? }{Yes, please|I would love to}!"

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
One night <N> was {almost asleep|lying in bed} when <he> heard a {strange|soft} sound. {Tap, tap, tap.|Scratch, scratch.|Whoo, whoo.} <N> {pulled the blanket over <his> head|sat up}. "{What is that|Who is there}?" <he> whispered. {Nobody answered.|There was no answer.} {Tap, tap, tap! There it was again, a little louder.|Then it came again, right outside the door.}

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

"{I thought that you had forgotten|You did remember}!" said <N>. "{How could we forget you?|Forget you? Never!}" said <F>, and gave <him> a {parcel|present}. Inside there was a <o>, {just what <N> had always wanted|the very one <he> had wished for}. They danced and {played games|sang} until late, and <N> {thought that <he> was the luckiest <s> in the world|knew that <he> was loved}."""],
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
    "egg": ["about an egg", "about a baby animal", "about taking care of someone", """
One {windy|fine} morning <N> found {a big speckled egg|a strange blue egg} lying {in the grass|on the path} near <p>. There was no nest {anywhere|to be seen}, and the egg was cold. "{You cannot stay here alone|Somebody must keep you warm}," said <N>, and <he> {carried it home|wrapped it in a scarf}.

"{That is a lot of work|You will have to be very patient}," said <F> the <f>. But <N> {kept the egg warm day and night|sat beside the egg all day long}. <He> {sang to it|told it stories} and {did not go out to play|turned it over every evening}. {Three days went by.|A whole week went by.} Then there was a sound. {Tap, tap!|Crack!} The egg began to {shake|wobble}.

{Out came|First came a beak, then a wet little head, and then} a {fluffy yellow|tiny grey} chick! It looked at <N> and said, "{Mama|Peep}!" <N> {laughed|did not know what to say}. "{I am not your mother|I am only <N>}," <he> said, "{but I will take care of you|but I will help you find her}." <F> brought some {crumbs|seeds}, and the chick {ate them all|ate and then fell asleep in <N>'s arms}.

The next day they {asked everyone in <p>|went all around <p>}. At last they met {a goose who was crying|a mother bird who was calling and calling}. "{My egg rolled away in the storm|I have lost my last egg}!" she said. "{Peep|Mama}!" cried the chick and {ran to her|jumped for joy}. <N> was {a little sad|sad and happy at once}. But {every morning after that|from then on} the little one came {to visit|to say good morning}, and {<N> was never lonely again|it never forgot who had kept it warm}."""],
    "snow": ["about snow", "about winter", "about a snowman", """
When <N> woke up, everything was {white|quiet and white}. It had snowed all night! <He> {ran outside|put on a warm hat and ran outside} and called <F> the <f>. "{Let us build a snowman|Come and play in the snow}!" They rolled {one big ball, one middle ball and one small ball|three great balls of snow}. They gave the snowman {two buttons for eyes|two stones for eyes} and {a carrot for a nose|an old hat}.

"{He looks cold|He looks lonely}," said <F>. So <N> {took off <his> own scarf|fetched a red scarf} and put it around the snowman's neck. "{There you are|Now you are warm}," <he> said. {It almost looked as if the snowman smiled.|For a moment the snowman seemed to wink.}

In the evening {a snowstorm came|thick snow began to fall}, and <N> {was still outside|could not see the way home from <p>}. {Everything looked the same.|The wind blew, and the light was gone.} "{Which way is home|Where am I}?" <he> whispered. Then <he> saw something red {waving in the wind|in all that white}. It was the scarf! {The snowman stood there and pointed with his stick arm|The red scarf blew in the direction of the house}. <N> {followed it|walked that way}, and soon <he> saw {the light in <his> window|<F> with a lamp}.

"{I was so worried|There you are}!" said <F>, and they {drank hot chocolate by the fire|ate <t> by the stove}. In the spring the snowman {melted|went away}, but {the red scarf lay in the grass|he left the scarf behind}. <N> {washed it and kept it for the next winter|smiled and put it in a drawer}. "{See you next year|Thank you, my friend}," <he> said."""],
    "bake": ["about baking", "about a cake", "about cooking", """
It was {the day before the summer party|the day of the great feast} in <p>, and <N> wanted to bake a cake. "{It must be the best cake ever|It will be as tall as a tower}," <he> said. <He> took {flour, eggs, milk and honey|flour, butter, sugar and ten eggs} and {stirred and stirred|mixed everything in a big bowl}. But <he> {was in a hurry|did not read the recipe}, and {instead of sugar <he> took salt|<he> put in far too much baking powder}.

{In the oven the cake began to grow.|Soon there was a strange smell in the kitchen.} {It grew and grew|Puff! It rose higher and higher}, and then {it fell flat like a pancake|there was a loud bang, and cake was everywhere}. "{Oh no, it is ruined|What a mess}!" cried <N>, with {flour|cake} {on <his> nose|in <his> hair}. "{Now I have nothing for the party|Everyone will laugh at me}."

{Just then|At that moment} <F> the <f> {looked in at the window|knocked at the door}. "{Do not be sad|Everyone makes mistakes}," said <F>. "{I once put pepper in a cake|My first cake was as hard as a stone}. {Let us try again, slowly|We will do it together}." <F> {read the recipe aloud|measured everything}, and <N> {stirred|cracked the eggs}. {They did one step after the other.|This time they did not hurry.} And when they opened the oven, there was {a golden cake|a beautiful cake} {as soft as a cloud|that smelled of honey}.

At the party everyone wanted {a second piece|some more}. "{Who made this wonderful cake|This is delicious! Who made it}?" they asked. "{We did|The two of us}," said <N> proudly and {took <F>'s hand|looked at <F>}. "{The first one was a disaster|You should have seen the first one}!" Then they all {laughed|laughed and danced}, and {not a single crumb was left|the plate was soon empty}."""],
    "sail": ["about the sea", "about a boat trip", "about a voyage", """
<N> and <F> the <f> built {a little boat|a raft} out of {old boards|logs and rope}. They {painted it blue|gave it a sail made of a bed sheet} and packed {some <t>|a basket with <t>}. "{Where shall we go|Where to, captain}?" asked <F>. "{To the end of the world|To the island on the other side}!" said <N>. {The wind filled the sail|They pushed off}, and away they went.

At first the water was {smooth and blue|as flat as a mirror}. {Fish jumped beside them.|Gulls flew above them.} But then {the sky turned dark|black clouds came}, and the waves {grew as high as houses|threw the boat up and down}. "{Hold on tight|Do not let go}!" shouted <N>. {The sail tore.|The mast broke.} "{We are lost|I am scared}!" cried <F>. "{We are together|I am here}," said <N>, "{and together we can do it|and I will not let you fall}."

Then {a huge grey back rose from the water|something large came up beside them}. It was a whale! "{You are a long way from home, little ones|This is no weather for a small boat}," it said in a deep voice. "{Throw me your rope|Give me your rope}." The whale {pulled them through the storm|swam ahead and pulled them along} {until the sea was calm|until they saw the shore}.

"{How can we ever thank you?|Thank you, dear whale!}" called <N>. "{Sing to me sometimes|Come and visit me}," said the whale, "{it is so quiet down below|I like company}." And so, {every Sunday|every evening}, <N> and <F> {sit by the water and sing|go down to the water and sing a song}, and {far out at sea a whale sings back|sometimes, far away, a great voice joins in}."""],
    "letter": ["about a letter", "about a grandmother", "about missing someone", """
<N>'s best friend, <F> the <f>, had moved {far away, behind the mountains|to the other side of the land}. <N> {missed <F> every day|felt that something was missing}. {Playing alone was no fun.|Even <t> did not taste right.} "{I will write a letter|I know! I will send a letter}," <he> said. <He> wrote: "Dear <F>, {how are you?|I hope you are well.} {I miss you very much|It is quiet here without you}. Your <N>."

<N> {gave the letter to the wind|put the letter in a bottle and let it float down the river|gave the letter to a goose who was flying that way}. Then <he> waited. {One day went by, and no answer came.|Monday came, and Tuesday, and no answer.} {A week went by, and no answer came.|Every morning <he> ran to the gate.} "{<F> has forgotten me|Maybe <F> has new friends now}," thought <N> {and was very sad|and <his> heart was heavy}.

But one {rainy|foggy} evening there was a knock at the door. {"Who can that be, so late?" said <N>.|<N> opened it slowly.} Outside stood <F>, {wet and tired and smiling|with a small suitcase}! "{I got your letter|Your letter came}," said <F>, "{and I did not know how to write everything I wanted to say|but an answer seemed too small}. {So I came myself|So I thought, I will bring it myself}!"

They {hugged for a long time|laughed and cried}. <F> stayed {for a whole week|until the new moon}, and they {talked every night|played in <p> every day}. When it was time to say goodbye, <N> was not so sad. "{Now I know that friends stay friends, even far apart|Far away is not the same as gone}," <he> said. And they {wrote to each other every Sunday|promised to write every week}, {and they kept that promise|all their lives}."""],
    "moon": ["about the moon", "for bedtime", "about the night sky", """
One night <N> looked out and {could not find the moon|saw that the sky was quite dark}. "{Where is the moon|Somebody has taken the moon}!" <he> cried. <He> woke <F> the <f>. "{The moon is gone|We must look for the moon}," said <N>. "{How can anyone sleep without the moon|The night is too dark without it}?" <F> {yawned|rubbed both eyes} and {came along|took a lamp}.

First they {climbed the highest hill|climbed the tallest tree}, but the moon was not there. Then they {looked into the old well|looked behind the clouds} and {asked the owl|asked the bats}. "{I have not seen it tonight|Who? Who? Not I}," {said the owl|was the answer}. At last they came to <p>. There was a pond, and in the pond {something shone|there was a round white light}. "{There it is|The moon has fallen into the water}!" said <N>.

<N> {took a net|reached into the water} and tried to pull it out. But {each time the moon broke into a hundred pieces|as soon as <he> touched it, it danced away}. "{I have broken it|Oh dear, what now}?" said <N>. Then <F> {laughed softly|began to smile}. "Look up," said <F>. <N> looked up. {The cloud had moved on|The clouds were gone}, and there was the moon, {round and bright|high in the sky, where it had always been}.

"{It was only hiding|It was there the whole time}," said <N>. "{Some things are still there when you cannot see them|You cannot always see it, but it is always there}," said <F>. They lay {in the grass|side by side} and {counted the stars|looked at the sky} until {their eyes fell shut|they were both asleep}. And the moon {shone on them all night|watched over them until morning}."""],
    "monster": ["about a monster", "about being scared at night", "about a funny monster", """
There was something under <N>'s bed. <He> was sure of it. {Every night it went scratch, scratch.|Every night it sighed and grumbled.} "{It is a monster|A monster lives there}," <N> told <F> the <f>. "{There are no monsters," said <F>. "Did you look?"|Did you look?" asked <F>.} "{I do not dare|No}," said <N>. "{It must be terrible|I am too afraid}."

That night <F> stayed with <N>. {They sat in the dark and waited.|They put out the lamp and waited.} {Scratch, scratch.|Then came a long, deep sigh.} "{Now|Together}!" whispered <F>. They {counted to three and looked|bent down and looked} under the bed. Two {big round|green} eyes looked back. "{Aaah|Help}!" screamed <N>. "{Aaah|Help}!" screamed the monster.

It was {small and blue and covered with fur|no bigger than a cat, with long soft ears}, and it was shaking. "{Please do not hurt me|Do not eat me}!" it said. "{I have heard that there is something terrible on top of the bed|I am so afraid of the thing on top of the bed}." <N> {stared|had to laugh}. "{That is me|The thing on top of the bed is only me}!" <he> said. "{I was afraid of you|And I thought that you were terrible}."

{Then all three of them laughed.|They laughed until they had to sit down.} <N> gave the monster some <t> {and a pillow|and an old blanket}, and it told them {how dusty it is under beds|about the lost socks that live there}. From that night on <N> {was not afraid any more|slept well}. And before <he> fell asleep, <he> always said, "Good night, monster," and a small voice {under the bed|from below} {answered|said}, "Good night, <N>." """],
    "space": ["about space", "about a trip to space", "about the stars", "in space", """
Every night <N> looked up at the sky and {wondered what it was like up there|dreamed of flying to the stars}. "{One day I will go there|I want to see the stars}," <he> said. <F> the <f> {laughed|smiled}. "{Then let us build a rocket|What are we waiting for? Let us build a rocket}!"

They {worked for many days|hammered and painted for a week}. They used {an old bathtub, two umbrellas and a kettle|tin cans, a big pot and a garden chair}. At last the rocket was ready. "Three, two, one... {Off we go|Up we go}!" With a great whoosh they {rose above the trees|flew above the clouds}, higher and higher, until the Earth was as small as a {ball|blue marble}.

Space was {dark and quiet|huge and still}, and the stars shone {all around them|on every side}. They {landed on the Moon and jumped as high as houses|flew past a comet with a long bright tail}. Then <N> heard {someone crying|a tiny voice}. It was a little star. "{I have fallen from my place, and I cannot get back|I am lost, and I am so small}," it said. "{Do not cry|Don't be sad}," said <N>. "{We will take you home|We have a rocket, and there is room for you}."

They {carried the little star carefully|took the little star on board} and {flew on until they found its family|put it back in its place in the sky}. "{Thank you|Thank you, dear friends}!" said the star, and it shone brighter than all the others. Then they {turned around and flew home|went home, tired and happy}. And {every evening|ever since}, when <N> looks up, one star {blinks|winks} at <him>."""],
    "fire": ["about being afraid", "about a fear", "about an unusual friend", """
All <his> friends loved {the warm campfire|the big fire in the winter}, but <N> was afraid of fire. {When it crackled, <he> hid.|When the flames jumped, <he> ran away.} "{A <s> who is afraid of fire|How funny}!" {said the others|the others said, and they laughed}. <N> {felt ashamed|sat alone in the dark and was cold}.

One evening <F> the <f> {came and sat beside <him>|brought a single small candle}. "{Everybody is afraid of something|I used to be afraid, too}," said <F>. "{Let us begin with something small|You do not have to go near the big fire}. {Look only at this little flame|Here is a tiny flame}." <N> looked at it from far away. {It was not so bad.|It danced softly.} The next evening <he> {came a little closer|sat one step nearer}, and the next evening closer still.

Then came {the coldest night of the year|a night of wind and snow}. {The fire had gone out|The great fire went out}, and everyone {was shivering|was freezing}. {There was only <F>'s little candle left.|Only one candle was still burning.} "{Who will carry it to the wood|Who can light the fire again}?" they asked. {Nobody moved.|The wind blew hard.} <N> {took a deep breath|swallowed}. "{I will|I will do it}," <he> said.

<He> {held the candle carefully and walked slowly|shielded the flame and went step by step}, and {the wood began to burn|soon a big warm fire was burning}. Everyone cheered. "{You did it|You saved us}!" said <F>. "{I was afraid the whole time|My heart was beating so fast}," said <N>, "{but I did it anyway|but it was worth it}." And that night <N> {slept by the fire|sat close to the fire}, {warm and proud|with a friend at <his> side}."""],
    "ball": ["about a lost ball", "about playing", "about a ball", """
<N> had a {big red|shiny blue|bright yellow} ball and played with it every day. {<He> threw it high and caught it again.|<He> could bounce it a hundred times.} One {sunny|windy} day <N> kicked the ball too hard. It {flew over the fence|rolled down the hill} and was gone.

<N> {ran after it|ran to look for it}. <He> looked {behind the bushes|under the bench} and {in the tall grass|beside the path}, but there was no ball. "{Where can it be|Where is my ball}?" said <N>, and {felt like crying|<his> lip began to shake}. Near <p> <he> met <F> the <f>. "{Have you seen my ball|Did a ball come this way}?" asked <N>. "{Yes|Oh yes}!" said <F>. "{It rolled past me and fell into the stream|It bounced past my nose and splashed into the pond}. {Come quickly|Follow me}!"

They {ran as fast as they could|hurried along}. There was the ball, {floating in the middle of the water|far out on the water}! {<N> could not reach it.|It was too far away.} "{I have an idea|I know what to do}," said <F>. They {found a long branch and pulled together|threw little stones behind it, and the waves pushed it back}, and slowly the ball {came closer and closer|came to the shore}. "{I have got it|Here it is}!" shouted <N>.

"{Thank you, <F>|You are so clever}! {Do you want to play with me|Shall we play together}?" asked <N>. So they {threw the ball to each other|played catch} until {the sun went down|it was time for supper}. {A ball is fun, but it is much more fun with a friend.|And from that day on, <N> never had to play alone.}"""],
    "rain": ["about a rainy day", "about the rain", "about a storm", """
It had been raining for three days, and <N> was bored. "{I cannot go outside|There is nothing to do}," <he> said and {looked out of the window|sighed}. Then {there was a knock at the door|somebody knocked}. It was <F> the <f>, {wet from head to toe|dripping with rain}. "{The river is rising, and my home is full of water|The rain has come into my house}," said <F>. "{May I stay with you|Can I come in}?"

"{Of course|Come in, come in}!" said <N>. <He> {brought a towel|lit the fire} and {warmed up some <t>|put some <t> on the table}. Soon there was another knock, {and another|and then one more}. All the {neighbours|animals} from <p> had wet feet and nowhere to go. {Before long the house was full.|There was hardly any room left.}

{They sat close together and told stories.|They sang songs and played games.} {Someone played a tune, and everyone danced.|<F> told a story about a whale, and everybody laughed.} <N> {was not bored any more|had never had so much fun}. The next morning {the sun was shining|the rain had stopped}, and there was a {great|bright} rainbow over <p>.

Everyone went home to {clean up|dry their things}, and <N> {helped all of them|went from house to house to help}. "{You opened your door to us|You were so kind}," said <F>. "{We will not forget it|Thank you for everything}." "{Come again|Come back soon}," said <N>, "{even when it does not rain|and you do not have to wait for the rain}!" """],
    "music": ["about music", "about a song", "about finding your voice", """
<N> loved music more than anything. {In the morning <he> hummed, and in the evening <he> hummed.|All day long a little tune went around in <his> head.} But <he> was {too shy to sing|afraid to sing} in front of others. {"My voice is too small," <he> thought.|"They will laugh at me," <he> thought.}

One day there was a {big concert|music day} in <p>. Everyone could take part. <F> the <f> {played the drum|played the fiddle}, others {danced|sang}. <N> {sat in the last row|hid behind a tree} and {listened|only watched}. Then {the lights went out|dark clouds came, and it began to thunder}. {The little ones began to cry.|Everyone was frightened, and nobody knew what to do.}

Without thinking about it, <N> began to {hum|sing}, {very softly|quietly at first}. It was {a warm little tune|a song that <his> grandmother had taught <him>}. {One after another, the little ones stopped crying.|It grew quiet, and everyone listened.} <N> sang a little louder. {<F> joined in on the drum.|<F> played along.} Soon {all of them were singing together|everybody was singing}, and {nobody noticed that the storm had passed|the thunder seemed far away}.

When the song was over, {there was silence, and then a great cheer|everyone clapped}. "{Why did you never sing before|You have a beautiful voice}!" said <F>. <N> {turned red|smiled shyly}. "{I did not know that anyone would like it|I thought that my voice was too small}," <he> said. "{A small voice can bring a big comfort|Even a small light shines in the dark}," said <F>. And from then on, <N> sang {every day|whenever <he> was happy}, {and sometimes when <he> was afraid, too|and <p> was a happier place}."""],
}


FEARS = ("the dark|thunder|deep water|high places|loud noises|spiders|dogs|storms|mice|ghosts|the wind|lightning|heights|water|snakes|monsters|the forest|strangers|"
         "bees|flying|the sea|bats|shadows|the cold").split("|")
LEARN = ("sing|dance|swim|whistle|juggle|paint|read|write|cook|fly|ride a bicycle|play the piano|play the violin|play the drum|skate|ski|climb|fish|knit|jump|run fast|"
         "count to a hundred|tell jokes|bake bread|do magic|play chess|roar|draw|sew|row a boat|tie a bow|speak in front of others").split("|")
JOBS = ("doctor|pilot|singer|dancer|painter|teacher|sailor|chef|baker|writer|farmer|detective|king|knight|astronaut|football player|firefighter|gardener|clown|"
        "magician|inventor|builder|musician|captain").split("|")
FOODS = ("cake|honey|cheese|pizza|apples|soup|chocolate|pancakes|carrots|ice cream|bananas|noodles|cookies|strawberries|bread|pears|cherries|rice|popcorn|jam|pie|"
         "melons|nuts|sandwiches").split("|")
WEAR = "hat|scarf|coat|pair of boots|pair of glasses|backpack|cape|bow tie|crown|umbrella|sweater|mask".split("|")
COLOURS = "red|blue|green|yellow|purple|pink|orange|white|black|golden|silver".split("|")
COLLECT = "shells|stamps|buttons|stones|leaves|books|feathers|coins|keys|bottles|hats|spoons|postcards|flowers".split("|")
HOBBY = ("read|sing|dance|paint|cook|climb trees|fish|count the stars|tell jokes|sleep|play football|play chess|ask questions|build things|dig holes|write letters|"
         "watch birds|look at the clouds|travel|make music").split("|")
TIMES = [row.split("|") for row in """
 in winter|It was winter, and snow lay on the roofs.
 on a snowy day|It was a cold and snowy day.
 in spring|It was spring, and the first flowers were out.
 in summer|It was summer, and the days were long and warm.
 on a summer day|It was a hot summer day.
 in autumn|It was autumn, and the leaves were red and gold.
 at Christmas|It was Christmas, and there were candles in every window.
 on a windy day|It was a very windy day.
 a long time ago|That was a long time ago, when your great-grandmother was not yet born.
""".strip("\n").splitlines()]
# request | where the hero lives | places for the plot
SETTINGS = [row.split("|") for row in """
in space|in a small space station among the stars|the space garden;the space station;the red planet;the long corridor
on the moon|in a little round house on the moon|the big crater;the silver hills;the valley of the moon
on Mars|in a red tent on Mars|the red hills;the great crater;the dusty plain
under the sea|under the sea, behind the coral reef|the coral reef;the sunken ship;the kelp forest
in the ocean|deep down in the ocean|the coral reef;the sunken ship;the blue cave
in a castle|in an old castle with seven towers|the castle garden;the great hall;the high tower;the castle yard
on a farm|on a farm with a red barn|the barn;the orchard;the hen house;the farmyard
in the jungle|in the middle of the jungle|the waterfall;the great tree;the muddy river
in the desert|in a tent in the desert|the oasis;the dunes;the old well
in a big city|in a tall house in a big city|the big square;the train station;the park;the market
at school|next to a small school|the schoolyard;the classroom;the school library
at the beach|in a hut at the beach|the beach;the rock pools;the lighthouse
on an island|on a small green island|the palm trees;the beach;the old lighthouse
in the mountains|in a hut high in the mountains|the waterfall;the mountain lake;the stone bridge
in the forest|in a hut in the middle of the forest|the old oak;the forest;the little clearing
in the woods|deep in the woods|the old oak;the woods;the little clearing
at the North Pole|in an igloo at the North Pole|the frozen lake;the ice hill;the snow cave
in a garden|in a big garden behind a white house|the garden;the apple tree;the garden pond
in the zoo|in the zoo, behind the penguins|the zoo;the penguin pool;the zoo gate
on a pirate ship|on a pirate ship with black sails|the island;the harbour;the treasure cave
in a library|in an old library full of books|the library;the reading room;the long shelves
in a village|in a quiet village by a river|the village square;the old mill;the village
in the clouds|in a white house in the clouds|the cloud garden;the rainbow;the highest cloud
in a cave|in a warm dry cave|the cave;the waterfall;the dark tunnel
""".strip().splitlines()]
ANYWHERE = ["lost", "brave", "practice", "share", "friend", "treasure", "surprise", "race", "wish", "music", "letter", "egg"]


def detail(rng, s):
    """(words for the request, arguments of story) for one detail that the request names and the story keeps."""
    kind = rng.choice(["fear"] * 3 + ["learn"] * 3 + ["setting"] * 5 + ["food", "wear", "wear", "collect", "hobby", "job", "job", "time", "thing", "thing"])
    if kind == "fear":
        if rng.random() < .15:
            return " who is afraid of fire", {"plot": "fire"}
        x = rng.choice(FEARS)
        return f" who is {rng.choice(['afraid', 'afraid', 'scared'])} of {x}", {"fear": x, "plot": "brave"}
    if kind == "learn":
        k = rng.choice(LEARN)
        return rng.choice([" who wants to learn to {}", " who wants to {}", " who cannot {}", " who learns to {}", " who could not {}"]).format(k), {"skill": k, "plot": "practice"}
    if kind == "setting":
        r = SETTINGS[0] if rng.random() < .25 else rng.choice(SETTINGS)
        plot = "space" if r[0] == "in space" and rng.random() < .4 else rng.choice(["brave", "practice", "friend", "surprise", "race", "wish", "music", "lost", "share"] if SETTINGS.index(r) < 5 or "cloud" in r[0] else ANYWHERE)
        return rng.choice([" ", " ", " who lives "]) + r[0], {"lives": "" if plot == "space" else r[1], "place": rng.choice(r[2].split(";")) if plot != "space" else None, "plot": plot}
    if kind == "food":
        x = rng.choice(FOODS)
        return rng.choice([" who loves {}", " who likes {}", " who only eats {}", " and some {}"]).format(x), \
            {"extra": f"{{<N> loved {x} more than any other food.|<He> liked nothing better than {x}.|Every day <he> ate {x}.}}", "treat": x,
             "close": rng.choice(["", f"And in the evening everybody ate {x}.", f"Then they all ate {x}."])}
    if kind == "wear":
        c, w = rng.choice(COLOURS), rng.choice(WEAR)
        return f" with {article(c)} {w}", {"extra": f"{{<He> always wore {article(c)} {w}.|Everyone knew <him> by <his> {c} {w}.|<He> never went out without <his> {c} {w}.}}",
                                           "close": rng.choice(["", f"And through all of it <N> had worn the {c} {w}."])}
    if kind == "collect":
        x = rng.choice(COLLECT)
        return f" who collects {x}", {"extra": f"{{<He> collected {x} and kept them in a box.|<N> had a great collection of {x}.}}",
                                      "close": rng.choice(["", f"The next day <N> gave <F> the finest of all <his> {x}."])}
    if kind == "hobby":
        x = rng.choice(HOBBY)
        return rng.choice([" who likes to {}", " who loves to {}"]).format(x), {"extra": f"{{<He> liked to {x} all day long.|<He> loved to {x}, and nobody could stop <him>.|Most of all <he> liked to {x}.}}"}
    if kind == "job":
        x = rng.choice(JOBS)
        return rng.choice([" who wants to be {}", " who wants to become {}", " who dreams of being {}"]).format(article(x)), \
            {"extra": f"{{<He> wanted to be {article(x)} one day.|\"When I am big, I will be {article(x)},\" <he> always said.|<He> dreamed of becoming {article(x)}.}}",
             "close": rng.choice(["", f"\"One day you will be a wonderful {x},\" said <F>, and <N> smiled."])}
    if kind == "time":
        q, text = rng.choice(TIMES)
        return q, {"extra": text, "plot": rng.choice(["lost", "brave", "friend", "share", "treasure", "truth", "wish", "home", "moon"])}
    x = rng.choice(OBJECTS)
    plot = rng.choice(["lost", "wish"])
    return rng.choice([" and {}", " who has {}", " with {}"] if plot == "lost" else [" and {}", " who finds {}", " who found {}"]).format(article(x)), {"thing": x, "plot": plot}


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
    fear = fear or rng.choice(FEARS)
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
    text = re.sub(r"lived in (?=the golden plains|a rocky mountain|a farm|the snowy coast|the wide grassland|the grassland|a muddy farmyard|a hill farm|a sandy beach|a shelf|a green farm|a small purple planet|a ship|a quiet lake)", "lived on ", text)
    text = re.sub(r"(^|[.!?] |\n)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text) if text[0].islower() else text
    return {"species": s, "name": n, "friend": f, "friend_name": fname, "plot": key, "place": place, "thing": thing,
            "moral": rng.choice(PLOTS[key][:-1])}, text


if __name__ == "__main__":
    import random
    r = random.Random(1)
    for _ in range(4):
        print(story(r), "\n")
