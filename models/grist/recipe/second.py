"""What the second pass adds to the stories of the first: twelve plots, details that a request names and the story keeps, repairs.

extend() puts it into the tables of stories.py; the numbers of both passes are in passes.py.
"""
import stories
from stories import article

OBJECTS = ["telescope", "silver mirror", "tiny clock", "violin", "compass", "candle", "white shell", "old book", "gold coin", "glass marble", "wooden horse",
           "puppet", "feather", "crystal", "magic stick"]
# plot | text of the first pass | text now
REPAIRS = [row.split(" => ") for row in """
brave => {the dark|thunder|deep water|high places|loud noises} => <x>
brave => {Please help me|Is anybody there}? => {Please help me!|Is anybody there?}
brave => {My friend needs me|If I do not help, who will}? => {My friend needs me!|If I do not help, who will?}
brave => <F> smiled. " => "{You know that I am afraid of <x>|I am even afraid of <x>}." <F> smiled. "
practice => but <he> fell flat on <his> nose => but it was a disaster
help => {Please help me|Will you help me}," => Please help me,"
friend => {was curious|thought, "It must be hard to be new"}. => {was curious.|thought, "It must be hard to be new."}
night => {Tap, tap, tap,|And there it was again,} it went, {a little louder|right outside}. => {Tap, tap, tap! There it was again, a little louder.|Then it came again, right outside the door.}
surprise => {How could we forget you|Forget you? Never}? => {How could we forget you?|Forget you? Never!}
""".strip().splitlines()]
PLOTS = {
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

When the song was over, {there was silence, and then a great cheer|everyone clapped}. "{Why did you never sing before|You have a beautiful voice}!" said <F>. <N> {turned red|smiled shyly}. "{I did not know that anyone would like it|I thought that my voice was too small}," <he> said. "{A small voice can bring a big comfort|Even a small light shines in the dark}," said <F>. And from then on, <N> sang {every day|whenever <he> was happy}, {and sometimes when <he> was afraid, too|and <p> was a happier place}."""]
}
WHO = {"egg": "who finds an egg", "snow": "who builds a snowman", "bake": "who bakes a cake", "sail": "who goes to sea",
       "letter": "who writes a letter", "moon": "who looks for the moon", "monster": "who is afraid of a monster", "space": "who flies to space",
       "fire": "who is afraid of fire", "ball": "who loses a ball", "rain": "who is bored", "music": "who loves music"}
MORALS = {"egg": "Caring for someone makes you happy, too.", "snow": "A small kindness comes back.",
          "bake": "Mistakes are no shame when you try again.", "sail": "Together you can get through a storm.",
          "letter": "Friends stay friends, even far apart.", "moon": "Some things are still there when you cannot see them.",
          "monster": "What frightens you may be frightened, too.", "space": "Big dreams come true when friends work together.",
          "fire": "You can be afraid and do it anyway.", "ball": "Playing is more fun with a friend.", "rain": "An open door makes friends.",
          "music": "Even a small voice can help others."}
HINTS = {"space": [" in space", " who goes to space", " who flies to the moon", " and the stars"],
         "ball": [" and a lost ball", " and a ball", " who lost a ball", " who loses a ball"],
         "fire": [" who is afraid of fire", " who is afraid"], "rain": [" on a rainy day", " and the rain"],
         "music": [" who loves music", " who wants to sing", " and a song"]}
# requests without a topic
BARE = ["Tell me a bedtime story.", "Make up a story.", "Another story, please.", "Tell me a story", "Write a story",
        "Can you tell me a short story?", "Could you tell me a story?", "Write me a story.", "A story, please.", "Tell me a nice story.",
        "Tell me a fairy tale.", "Tell me a story.", "Tell me a short story."]
FEARS = ("the dark|thunder|deep water|high places|loud noises|spiders|dogs|storms|mice|ghosts|the wind|lightning|heights|water|snakes|monsters|the forest|strangers|"
         "bees|flying|the sea|bats|shadows|the cold").split("|")
ON = ["the golden plains", "a rocky mountain", "a farm", "the snowy coast", "the wide grassland", "the grassland", "a muddy farmyard", "a hill farm",
      "a sandy beach", "a shelf", "a green farm", "a small purple planet", "a ship", "a quiet lake"]
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
    x = rng.choice(stories.OBJECTS)
    plot = rng.choice(["lost", "wish"])
    return rng.choice([" and {}", " who has {}", " with {}"] if plot == "lost" else [" and {}", " who finds {}", " who found {}"]).format(article(x)), {"thing": x, "plot": plot}


def extend():
    """Turn the tables of stories.py into those of the second pass."""
    at = stories.OBJECTS.index("warm scarf")
    stories.OBJECTS[at:at] = OBJECTS
    for plot, old, new in REPAIRS:
        assert stories.PLOTS[plot][-1].count(old) == 1, (plot, old)
        stories.PLOTS[plot][-1] = stories.PLOTS[plot][-1].replace(old, new)
    for table, more in ((stories.PLOTS, PLOTS), (stories.WHO, WHO), (stories.MORALS, MORALS), (stories.HINTS, HINTS)):
        table.update(more)
    stories.FEARS += FEARS
    stories.ON += ON
