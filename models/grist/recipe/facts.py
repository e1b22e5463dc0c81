"""Hand-written knowledge for the chat data: small tables, one row a line, fields split by |."""


def table(text):
    """Rows of a |-separated table."""
    return [[c.strip() for c in row.split("|")] for row in text.strip().splitlines() if row.strip()]


# country | capital | continent | language | adjective
COUNTRIES = table("""
France|Paris|Europe|French|French
Germany|Berlin|Europe|German|German
Italy|Rome|Europe|Italian|Italian
Spain|Madrid|Europe|Spanish|Spanish
Portugal|Lisbon|Europe|Portuguese|Portuguese
the United Kingdom|London|Europe|English|British
Ireland|Dublin|Europe|English and Irish|Irish
the Netherlands|Amsterdam|Europe|Dutch|Dutch
Belgium|Brussels|Europe|Dutch, French and German|Belgian
Switzerland|Bern|Europe|German, French, Italian and Romansh|Swiss
Austria|Vienna|Europe|German|Austrian
Poland|Warsaw|Europe|Polish|Polish
the Czech Republic|Prague|Europe|Czech|Czech
Hungary|Budapest|Europe|Hungarian|Hungarian
Greece|Athens|Europe|Greek|Greek
Sweden|Stockholm|Europe|Swedish|Swedish
Norway|Oslo|Europe|Norwegian|Norwegian
Denmark|Copenhagen|Europe|Danish|Danish
Finland|Helsinki|Europe|Finnish and Swedish|Finnish
Iceland|Reykjavik|Europe|Icelandic|Icelandic
Russia|Moscow|Europe and Asia|Russian|Russian
Ukraine|Kyiv|Europe|Ukrainian|Ukrainian
Romania|Bucharest|Europe|Romanian|Romanian
Bulgaria|Sofia|Europe|Bulgarian|Bulgarian
Croatia|Zagreb|Europe|Croatian|Croatian
Serbia|Belgrade|Europe|Serbian|Serbian
Turkey|Ankara|Europe and Asia|Turkish|Turkish
Egypt|Cairo|Africa|Arabic|Egyptian
Morocco|Rabat|Africa|Arabic and Berber|Moroccan
Kenya|Nairobi|Africa|Swahili and English|Kenyan
Nigeria|Abuja|Africa|English|Nigerian
Ghana|Accra|Africa|English|Ghanaian
Ethiopia|Addis Ababa|Africa|Amharic|Ethiopian
Tanzania|Dodoma|Africa|Swahili|Tanzanian
Algeria|Algiers|Africa|Arabic|Algerian
Tunisia|Tunis|Africa|Arabic|Tunisian
Senegal|Dakar|Africa|French|Senegalese
China|Beijing|Asia|Chinese|Chinese
Japan|Tokyo|Asia|Japanese|Japanese
South Korea|Seoul|Asia|Korean|South Korean
India|New Delhi|Asia|Hindi and English|Indian
Pakistan|Islamabad|Asia|Urdu and English|Pakistani
Bangladesh|Dhaka|Asia|Bengali|Bangladeshi
Nepal|Kathmandu|Asia|Nepali|Nepalese
Thailand|Bangkok|Asia|Thai|Thai
Vietnam|Hanoi|Asia|Vietnamese|Vietnamese
Indonesia|Jakarta|Asia|Indonesian|Indonesian
Malaysia|Kuala Lumpur|Asia|Malay|Malaysian
the Philippines|Manila|Asia|Filipino and English|Filipino
Iran|Tehran|Asia|Persian|Iranian
Iraq|Baghdad|Asia|Arabic and Kurdish|Iraqi
Saudi Arabia|Riyadh|Asia|Arabic|Saudi
Israel|Jerusalem|Asia|Hebrew|Israeli
Jordan|Amman|Asia|Arabic|Jordanian
Mongolia|Ulaanbaatar|Asia|Mongolian|Mongolian
the United States|Washington, D.C.|North America|English|American
Canada|Ottawa|North America|English and French|Canadian
Mexico|Mexico City|North America|Spanish|Mexican
Cuba|Havana|North America|Spanish|Cuban
Jamaica|Kingston|North America|English|Jamaican
Brazil|Brasilia|South America|Portuguese|Brazilian
Argentina|Buenos Aires|South America|Spanish|Argentine
Chile|Santiago|South America|Spanish|Chilean
Peru|Lima|South America|Spanish|Peruvian
Colombia|Bogota|South America|Spanish|Colombian
Ecuador|Quito|South America|Spanish|Ecuadorian
Venezuela|Caracas|South America|Spanish|Venezuelan
Uruguay|Montevideo|South America|Spanish|Uruguayan
Australia|Canberra|Oceania|English|Australian
New Zealand|Wellington|Oceania|English and Maori|New Zealand
""")

# animal | what it is | legs | eats | lives | sound verb | young | a note
ANIMALS = table("""
dog|a friendly mammal that people keep as a pet|four|meat and other food|in homes with people|barks|puppy|Dogs have a very good sense of smell and are loyal to their families.
cat|a small mammal that people keep as a pet|four|meat and fish|in homes with people|meows|kitten|Cats can see well in the dark and like to hunt mice.
cow|a large farm animal that gives milk|four|grass and hay|on farms|moos|calf|Cows chew their food twice and give us milk, which is made into cheese and butter.
horse|a large, strong animal that people can ride|four|grass, hay and oats|on farms and in grasslands|neighs|foal|Horses can run very fast and can even sleep standing up.
pig|a clever farm animal with a flat snout|four|almost anything, such as roots, fruit and grain|on farms|oinks|piglet|Pigs roll in mud to keep their skin cool.
sheep|a farm animal with a woolly coat|four|grass|on farms and hills|bleats|lamb|The wool of sheep is used to make warm clothes.
goat|a farm animal with horns and a short beard|four|grass and leaves|on farms and mountains|bleats|kid|Goats are very good climbers.
chicken|a farm bird that lays eggs|two|seeds and insects|on farms|clucks|chick|A male chicken is called a rooster and a female is called a hen.
duck|a water bird with webbed feet|two|water plants, seeds and insects|on ponds and lakes|quacks|duckling|Oil on their feathers keeps ducks dry in the water.
goose|a large water bird with a long neck|two|grass and water plants|on lakes and in fields|honks|gosling|Geese fly in the shape of a V.
lion|a large wild cat|four|meat|in the grasslands of Africa|roars|cub|Lions live in groups called prides, and the males have a mane.
tiger|a large wild cat with orange fur and black stripes|four|meat|in the forests of Asia|roars|cub|Tigers are the largest of all cats, and they are good swimmers.
elephant|the largest land animal|four|grass, leaves, bark and fruit|in Africa and Asia|trumpets|calf|An elephant uses its long trunk to drink, to smell and to pick things up.
giraffe|the tallest animal in the world|four|leaves from tall trees|in the grasslands of Africa|hums|calf|A giraffe has a very long neck, but it has the same number of neck bones as a person.
zebra|an animal like a horse with black and white stripes|four|grass|in the grasslands of Africa|brays|foal|Every zebra has its own pattern of stripes.
monkey|a clever mammal with long arms and often a tail|two|fruit, leaves and insects|in warm forests|chatters|infant|Monkeys use their hands and tails to climb trees.
bear|a large, strong animal with thick fur|four|fish, berries, honey and plants|in forests and mountains|growls|cub|Many bears sleep through the winter.
polar bear|a large white bear|four|mostly seals|in the Arctic|growls|cub|Polar bears have thick fur and a layer of fat that keep them warm.
panda|a black and white bear|four|bamboo|in the forests of China|bleats|cub|A giant panda spends most of its day eating bamboo.
koala|a grey animal with a round nose and fluffy ears|four|eucalyptus leaves|in trees in Australia|bellows|joey|Koalas sleep for up to twenty hours a day.
kangaroo|a hopping animal with strong back legs|four|grass|in Australia|grunts|joey|A mother kangaroo carries her baby in a pouch.
wolf|a wild animal related to the dog|four|meat|in forests and mountains|howls|pup|Wolves live and hunt together in packs.
fox|a small wild animal with a bushy tail|four|mice, birds, insects and berries|in woods and fields|barks|cub|Foxes are known for being clever.
rabbit|a small animal with long ears|four|grass and vegetables|in burrows under the ground|squeaks|kit|Rabbits can hop very fast when they are in danger.
mouse|a very small animal with a long tail|four|seeds, grain and crumbs|in fields and houses|squeaks|pup|Mice are most active at night.
squirrel|a small animal with a bushy tail|four|nuts and seeds|in trees|chatters|kit|Squirrels hide nuts so that they have food in the winter.
hedgehog|a small animal covered in spines|four|insects, worms and snails|in gardens and woods|snuffles|hoglet|A hedgehog rolls into a ball when it is afraid.
deer|a gentle forest animal with thin legs|four|grass, leaves and shoots|in forests|grunts|fawn|Male deer grow antlers, which fall off every year.
camel|a large desert animal with one or two humps|four|dry grass and desert plants|in deserts|grunts|calf|A camel stores fat in its hump and can go for many days without water.
whale|a very large mammal that lives in the sea|no|fish and tiny sea animals|in the ocean|sings|calf|The blue whale is the largest animal that has ever lived.
dolphin|a clever mammal that lives in the sea|no|fish and squid|in the ocean|clicks and whistles|calf|Dolphins must come up to the surface to breathe air.
shark|a large fish with sharp teeth|no|fish and other sea animals|in the ocean|makes no sound|pup|A shark's skeleton is made of cartilage, not bone.
octopus|a sea animal with eight arms|no|crabs and shellfish|in the ocean|makes no sound|larva|An octopus has three hearts and can change its colour.
crab|a sea animal with a hard shell and claws|ten|almost anything it finds|on the sea shore|clicks|larva|Crabs walk sideways.
frog|a small animal that lives in water and on land|four|insects|near ponds|croaks|tadpole|A frog begins its life as a tadpole in the water.
turtle|a reptile with a hard shell|four|plants and small animals|in water and on land|hisses|hatchling|A turtle can pull its head and legs into its shell to stay safe.
snake|a long reptile without legs|no|small animals|in many warm places|hisses|hatchling|A snake smells with its tongue.
crocodile|a large reptile with a long jaw|four|fish and other animals|in warm rivers|growls|hatchling|Crocodiles have been on Earth since the time of the dinosaurs.
lizard|a small reptile with a long tail|four|insects|in warm, dry places|hisses|hatchling|Some lizards can drop their tail to escape.
penguin|a black and white bird that cannot fly|two|fish|mostly in the cold south, such as Antarctica|squawks|chick|Penguins cannot fly, but they are excellent swimmers.
owl|a bird that hunts at night|two|mice and other small animals|in woods and barns|hoots|owlet|An owl can turn its head very far around.
eagle|a large bird of prey with sharp eyes|two|fish and small animals|in mountains and near water|screeches|eaglet|Eagles can see a small animal from very far away.
parrot|a colourful bird with a curved beak|two|seeds, nuts and fruit|in warm forests|squawks|chick|Some parrots can learn to say words.
ostrich|the largest bird in the world|two|plants and insects|in Africa|booms|chick|An ostrich cannot fly, but it can run faster than a horse.
bee|a flying insect that makes honey|six|nectar and pollen|in hives|buzzes|larva|Bees carry pollen from flower to flower, which helps plants make seeds.
ant|a small insect that lives in large groups|six|seeds, sweet things and other insects|in nests under the ground|makes no sound we can hear|larva|An ant can carry many times its own weight.
butterfly|an insect with large, colourful wings|six|nectar from flowers|in gardens and meadows|makes no sound|caterpillar|A caterpillar turns into a butterfly inside a chrysalis.
spider|a small animal that spins webs|eight|insects|in webs, gardens and houses|makes no sound|spiderling|A spider is not an insect, because it has eight legs and insects have six.
snail|a small, slow animal with a shell on its back|no|leaves and plants|in damp gardens|makes no sound|hatchling|A snail moves on one strong foot and leaves a trail of slime.
bat|a flying mammal that is active at night|two|insects or fruit|in caves and trees|squeaks|pup|Bats find their way in the dark by listening to echoes.
gorilla|the largest of the apes|two|leaves, shoots and fruit|in the forests of Africa|grunts|infant|Gorillas are strong but gentle, and they live in family groups.
hippopotamus|a huge, heavy animal that stays in the water by day|four|grass|in the rivers and lakes of Africa|grunts|calf|Although they look slow, hippos can run fast and can be dangerous.
rhinoceros|a large animal with thick skin and one or two horns|four|grass and leaves|in Africa and Asia|snorts|calf|A rhinoceros has poor eyesight but a good sense of smell.
seal|a sea mammal with flippers|no|fish|on cold coasts|barks|pup|Seals are clumsy on land but quick in the water.
beaver|a furry animal with a flat tail|four|bark and water plants|in rivers|whines|kit|Beavers build dams from branches and mud.
swan|a large white water bird with a long neck|two|water plants|on lakes and rivers|trumpets|cygnet|Swans often stay with the same partner for life.
fish|an animal that lives in water and breathes with gills|no|plants, worms and smaller fish|in rivers, lakes and seas|makes almost no sound|fry|Fish use their fins to swim and their gills to take oxygen from the water.
cheetah|a slim, spotted wild cat|four|meat|in the grasslands of Africa|chirps and purrs|cub|The cheetah is the fastest animal on land.
""")

OPPOSITES = table("""
hot|cold
big|small
tall|short
fast|slow
happy|sad
day|night
light|dark
up|down
left|right
in|out
open|closed
old|young
new|old
good|bad
hard|soft
heavy|light
loud|quiet
rich|poor
strong|weak
wet|dry
clean|dirty
full|empty
early|late
first|last
high|low
long|short
wide|narrow
thick|thin
near|far
easy|difficult
cheap|expensive
brave|cowardly
kind|cruel
love|hate
win|lose
begin|end
start|stop
push|pull
give|take
buy|sell
laugh|cry
remember|forget
find|lose
arrive|leave
ask|answer
always|never
everything|nothing
above|below
inside|outside
before|after
true|false
right|wrong
same|different
safe|dangerous
sharp|blunt
smooth|rough
sweet|sour
awake|asleep
alive|dead
ancient|modern
asleep|awake
beautiful|ugly
black|white
boring|interesting
bright|dim
calm|nervous
careful|careless
clever|stupid
deep|shallow
float|sink
friend|enemy
generous|selfish
guilty|innocent
humble|proud
north|south
east|west
polite|rude
simple|complicated
summer|winter
success|failure
tight|loose
truth|lie
victory|defeat
warm|cool
war|peace
yes|no
""")

SYNONYMS = table("""
happy|glad, joyful and cheerful
sad|unhappy, sorrowful and gloomy
big|large, huge and great
small|little, tiny and miniature
fast|quick, rapid and swift
slow|sluggish, unhurried and gradual
smart|clever, bright and intelligent
beautiful|lovely, pretty and gorgeous
good|fine, nice and excellent
bad|poor, awful and terrible
angry|mad, furious and cross
scared|afraid, frightened and fearful
brave|courageous, bold and fearless
funny|amusing, comical and humorous
tired|weary, sleepy and exhausted
strong|powerful, sturdy and mighty
old|aged, ancient and elderly
new|fresh, recent and modern
rich|wealthy and well-off
quiet|silent, still and calm
loud|noisy and deafening
easy|simple and effortless
hard|difficult, tough and challenging
begin|start and commence
end|finish, stop and conclude
help|assist, aid and support
look|see, watch and gaze
say|tell, speak and state
walk|stroll, march and wander
kind|caring, gentle and good-hearted
strange|odd, unusual and peculiar
important|significant, major and essential
""")

# single | plural
PLURALS = table("""
mouse|mice
child|children
foot|feet
tooth|teeth
man|men
woman|women
goose|geese
sheep|sheep
fish|fish
leaf|leaves
knife|knives
baby|babies
city|cities
box|boxes
bus|buses
person|people
wolf|wolves
potato|potatoes
story|stories
dog|dogs
cat|cats
book|books
""")

# verb | past
PAST = table("""
go|went
eat|ate
run|ran
see|saw
take|took
give|gave
make|made
come|came
think|thought
buy|bought
bring|brought
write|wrote
sing|sang
swim|swam
fly|flew
drive|drove
sleep|slept
speak|spoke
teach|taught
find|found
know|knew
begin|began
drink|drank
break|broke
walk|walked
play|played
jump|jumped
catch|caught
feel|felt
keep|kept
""")

# thing | colour
COLOURS = table("""
the sky on a clear day|blue
grass|green
snow|white
a ripe banana|yellow
a ripe tomato|red
coal|black
an orange|orange
a lemon|yellow
milk|white
a leaf in summer|green
the sun when it sets|orange and red
chocolate|brown
blood|red
a carrot|orange
an elephant|grey
a strawberry|red
the sea|blue
a crow|black
a frog|usually green
a lime|green
an eggplant|purple
salt|white
a fire engine|usually red
""")

# a | b | mix
MIXES = table("""
red|blue|purple
red|yellow|orange
blue|yellow|green
red|white|pink
black|white|grey
""")

LISTS = table("""
fruits|apple, banana, orange, pear, grape, strawberry, mango, peach, cherry, lemon
vegetables|carrot, potato, onion, broccoli, spinach, cabbage, pea, pumpkin, cucumber, bean
colours|red, blue, green, yellow, orange, purple, black, white, pink, brown
colors|red, blue, green, yellow, orange, purple, black, white, pink, brown
animals|dog, cat, horse, elephant, lion, rabbit, bear, fox, tiger, monkey
farm animals|cow, pig, sheep, goat, horse, chicken, duck
wild animals|lion, tiger, elephant, wolf, bear, fox, zebra, giraffe
pets|dog, cat, rabbit, hamster, goldfish, parrot
birds|sparrow, robin, eagle, owl, penguin, parrot, swan, crow
insects|ant, bee, butterfly, beetle, fly, mosquito, grasshopper
sports|football, tennis, basketball, swimming, cricket, running, volleyball, hockey
musical instruments|piano, guitar, violin, drums, flute, trumpet, cello, harp
countries|France, Japan, Brazil, Canada, Kenya, India, Australia, Spain
countries in Europe|France, Germany, Italy, Spain, Poland, Sweden, Greece
countries in Asia|China, Japan, India, Thailand, Vietnam, Nepal
countries in Africa|Egypt, Kenya, Nigeria, Morocco, Ghana, Ethiopia
countries in South America|Brazil, Argentina, Chile, Peru, Colombia
cities|London, Paris, Tokyo, New York, Rome, Cairo, Sydney, Berlin
planets|Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune
oceans|the Pacific, the Atlantic, the Indian, the Southern, the Arctic
continents|Africa, Antarctica, Asia, Europe, North America, Oceania, South America
seasons|spring, summer, autumn, winter
days of the week|Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday
months of the year|January, February, March, April, May, June, July, August, September, October, November, December
shapes|circle, square, triangle, rectangle, oval, star, hexagon
parts of the body|head, arm, hand, leg, foot, eye, ear, nose
senses|sight, hearing, smell, taste, touch
metals|iron, gold, silver, copper, tin, aluminium, lead
flowers|rose, tulip, daisy, sunflower, lily, violet
trees|oak, pine, birch, maple, willow, apple tree
drinks|water, milk, tea, coffee, orange juice, lemonade
languages|English, Spanish, French, German, Chinese, Arabic, Hindi, Japanese
jobs|teacher, doctor, farmer, nurse, cook, engineer, painter, pilot
things in a kitchen|pot, pan, knife, spoon, plate, cup, oven
things in a classroom|desk, chair, book, pencil, board, map
clothes|shirt, trousers, dress, coat, hat, socks, shoes
vehicles|car, bus, train, bicycle, truck, boat, plane
feelings|happy, sad, angry, afraid, surprised, proud, calm
tools|hammer, saw, screwdriver, spanner, drill
hobbies|reading, painting, cooking, gardening, hiking, playing music, chess
desserts|ice cream, cake, apple pie, chocolate pudding, cookies
breakfast foods|eggs, toast, porridge, pancakes, cereal, fruit
""")

# work | author
AUTHORS = table("""
Romeo and Juliet|William Shakespeare
Hamlet|William Shakespeare
Macbeth|William Shakespeare
Oliver Twist|Charles Dickens
A Christmas Carol|Charles Dickens
Great Expectations|Charles Dickens
Pride and Prejudice|Jane Austen
Emma|Jane Austen
Jane Eyre|Charlotte Bronte
Wuthering Heights|Emily Bronte
Frankenstein|Mary Shelley
Dracula|Bram Stoker
Alice's Adventures in Wonderland|Lewis Carroll
Peter Pan|J. M. Barrie
The Adventures of Tom Sawyer|Mark Twain
Moby-Dick|Herman Melville
Treasure Island|Robert Louis Stevenson
The Jungle Book|Rudyard Kipling
The Time Machine|H. G. Wells
The Wonderful Wizard of Oz|L. Frank Baum
Little Women|Louisa May Alcott
War and Peace|Leo Tolstoy
Crime and Punishment|Fyodor Dostoyevsky
Don Quixote|Miguel de Cervantes
The Odyssey|Homer
The Divine Comedy|Dante Alighieri
Pinocchio|Carlo Collodi
The Wind in the Willows|Kenneth Grahame
The Little Mermaid|Hans Christian Andersen
The Ugly Duckling|Hans Christian Andersen
Twenty Thousand Leagues Under the Sea|Jules Verne
The Three Musketeers|Alexandre Dumas
Robinson Crusoe|Daniel Defoe
Gulliver's Travels|Jonathan Swift
Black Beauty|Anna Sewell
The Tale of Peter Rabbit|Beatrix Potter
""")

# thing | person | verb
MAKERS = table("""
the telephone|Alexander Graham Bell|is usually credited with inventing
the light bulb|Thomas Edison|made the first practical version of
the printing press|Johannes Gutenberg|invented, in Europe,
the theory of relativity|Albert Einstein|developed
the law of gravity|Isaac Newton|described
penicillin|Alexander Fleming|discovered
radium|Marie and Pierre Curie|discovered
the theory of evolution by natural selection|Charles Darwin|put forward
the Mona Lisa|Leonardo da Vinci|painted
The Starry Night|Vincent van Gogh|painted
the ceiling of the Sistine Chapel|Michelangelo|painted
the first successful aeroplane|the Wright brothers|built
the World Wide Web|Tim Berners-Lee|invented
the World Wide Web at CERN|Tim Berners-Lee|invented
the steam engine that powered factories|James Watt|greatly improved
dynamite|Alfred Nobel|invented
the Ninth Symphony with the Ode to Joy|Ludwig van Beethoven|composed
The Magic Flute|Wolfgang Amadeus Mozart|composed
Swan Lake|Pyotr Ilyich Tchaikovsky|composed
""")

# person | who
PEOPLE = table("""
Albert Einstein|Albert Einstein was a physicist who was born in Germany in 1879. He is best known for the theory of relativity and the equation E = mc2.
Isaac Newton|Isaac Newton was an English scientist. He described gravity and the laws of motion, and he helped to create calculus.
Marie Curie|Marie Curie was a scientist who was born in Poland and worked in France. She studied radioactivity and won two Nobel Prizes.
Charles Darwin|Charles Darwin was an English naturalist. He explained how living things change over time by natural selection.
William Shakespeare|William Shakespeare was an English poet and playwright. He wrote famous plays such as Romeo and Juliet, Hamlet and Macbeth.
Leonardo da Vinci|Leonardo da Vinci was an Italian artist and inventor. He painted the Mona Lisa and drew many machines.
Wolfgang Amadeus Mozart|Mozart was a composer from Austria. He wrote his first music as a small child and became one of the greatest composers of all time.
Ludwig van Beethoven|Beethoven was a German composer. He kept writing great music even after he became deaf.
Vincent van Gogh|Vincent van Gogh was a Dutch painter. He is famous for The Starry Night and for his paintings of sunflowers.
Abraham Lincoln|Abraham Lincoln was the sixteenth president of the United States. He led the country during the Civil War and helped to end slavery.
George Washington|George Washington was the first president of the United States.
Napoleon|Napoleon Bonaparte was a French general who became emperor of France in 1804.
Julius Caesar|Julius Caesar was a Roman general and ruler. He was killed in 44 BC.
Cleopatra|Cleopatra was the last queen of ancient Egypt.
Alexander the Great|Alexander the Great was a king of Macedon who built a huge empire before he died at the age of 32.
Galileo Galilei|Galileo was an Italian scientist. He used a telescope to study the sky and found four moons of Jupiter.
Neil Armstrong|Neil Armstrong was an American astronaut. In 1969 he became the first person to walk on the Moon.
Yuri Gagarin|Yuri Gagarin was a Soviet pilot. In 1961 he became the first person to travel into space.
Ada Lovelace|Ada Lovelace was an English mathematician. She is often called the first computer programmer.
Alan Turing|Alan Turing was an English mathematician. He helped to break secret codes in the Second World War and laid the ground for computer science.
Martin Luther King|Martin Luther King was an American minister who led a peaceful struggle for equal rights. He is known for his speech "I Have a Dream".
Mahatma Gandhi|Mahatma Gandhi led the struggle for the independence of India by peaceful means.
Nelson Mandela|Nelson Mandela fought against apartheid and became the first Black president of South Africa in 1994.
Christopher Columbus|Christopher Columbus was an explorer who sailed from Spain across the Atlantic Ocean in 1492.
Florence Nightingale|Florence Nightingale was an English nurse who made hospitals cleaner and safer.
Aristotle|Aristotle was a Greek philosopher. He was a student of Plato and the teacher of Alexander the Great.
Socrates|Socrates was a Greek philosopher who taught by asking questions.
Jane Austen|Jane Austen was an English writer. Her best-known book is Pride and Prejudice.
Charles Dickens|Charles Dickens was an English writer. He wrote Oliver Twist, A Christmas Carol and many other novels.
Mark Twain|Mark Twain was an American writer. He wrote The Adventures of Tom Sawyer.
Pablo Picasso|Pablo Picasso was a Spanish painter and one of the founders of Cubism.
Rosa Parks|Rosa Parks was an American woman who refused to give up her seat on a bus in 1955, which helped to start a movement for equal rights.
Louis Pasteur|Louis Pasteur was a French scientist. He showed that germs cause disease and found a way to make milk safe to drink.
Nikola Tesla|Nikola Tesla was an inventor who worked on alternating current, the kind of electricity that we use at home.
""")

# word | definition sentence(s)
THINGS = table("""
gravity|Gravity is the force that pulls things towards each other. It keeps us on the ground and keeps the Moon in its path around the Earth.
photosynthesis|Photosynthesis is the way plants make their food. They use sunlight, water and carbon dioxide to make sugar, and they give off oxygen.
an atom|An atom is a tiny piece of matter. It has a nucleus of protons and neutrons, with electrons around it.
a molecule|A molecule is a group of two or more atoms that are joined together. A water molecule has two hydrogen atoms and one oxygen atom.
water|Water is a clear liquid that all living things need. It is made of hydrogen and oxygen, and its formula is H2O.
ice|Ice is frozen water. Water turns into ice at 0 degrees Celsius.
steam|Steam is water in the form of a hot gas. Water turns into steam when it boils at 100 degrees Celsius.
rain|Rain is water that falls from clouds in drops. It fills rivers and helps plants grow.
snow|Snow is frozen water that falls from the clouds as soft white flakes.
a cloud|A cloud is made of many tiny drops of water or bits of ice that float in the sky.
wind|Wind is moving air. It blows because the Sun heats some parts of the Earth more than others.
lightning|Lightning is a giant spark of electricity in the sky during a storm.
thunder|Thunder is the sound that lightning makes when it heats the air very quickly.
a rainbow|A rainbow is a band of colours in the sky. It appears when sunlight passes through drops of rain.
a volcano|A volcano is an opening in the ground where hot melted rock, called lava, can come out.
an earthquake|An earthquake is a shaking of the ground. It happens when large pieces of the Earth's crust suddenly move.
a desert|A desert is a very dry place where little rain falls. The Sahara in Africa is the largest hot desert.
a forest|A forest is a large area covered with trees. Many animals and plants live there.
a mountain|A mountain is a very high piece of land. The highest mountain on Earth is Mount Everest.
a river|A river is a long stream of water that flows to a lake or to the sea.
an island|An island is a piece of land with water all around it.
the ocean|The ocean is the huge body of salt water that covers most of the Earth.
the Sun|The Sun is the star at the centre of our solar system. It gives us light and warmth.
the Moon|The Moon is a ball of rock that goes around the Earth. It takes about a month to go around once.
a star|A star is a huge ball of hot, glowing gas. The Sun is the star that is nearest to us.
a planet|A planet is a large round body that goes around a star. Our solar system has eight planets.
the solar system|The solar system is made of the Sun and everything that goes around it: eight planets, their moons, and many smaller bodies.
a galaxy|A galaxy is a very large group of stars, gas and dust. Our galaxy is called the Milky Way.
a comet|A comet is a ball of ice and dust that grows a bright tail when it comes near the Sun.
a black hole|A black hole is a place in space where gravity is so strong that not even light can escape.
the Earth|The Earth is the planet on which we live. It is the third planet from the Sun and the only one known to have life.
Mars|Mars is the fourth planet from the Sun. It is called the red planet because its soil has rust in it.
Jupiter|Jupiter is the largest planet in our solar system. It is made mostly of gas and has a great red storm.
Saturn|Saturn is the sixth planet from the Sun. It is famous for its beautiful rings.
Venus|Venus is the second planet from the Sun and the hottest one.
Mercury|Mercury is the smallest planet and the one closest to the Sun.
a dinosaur|Dinosaurs were animals that lived millions of years ago. Most of them died out about 66 million years ago, and birds are their living relatives.
a mammal|A mammal is an animal that has hair or fur and feeds its babies with milk. Dogs, whales and people are mammals.
a reptile|A reptile is a cold-blooded animal with scales, such as a snake, a lizard or a turtle.
an amphibian|An amphibian is an animal that can live in water and on land, such as a frog.
an insect|An insect is a small animal with six legs and three body parts, such as an ant or a bee.
a bird|A bird is an animal with feathers, wings and a beak. Birds lay eggs, and most of them can fly.
a plant|A plant is a living thing that usually has roots and green leaves and makes its food from sunlight.
a tree|A tree is a tall plant with a trunk, branches and leaves.
a flower|A flower is the part of a plant that makes seeds. Many flowers are colourful and smell sweet.
a seed|A seed is the small part of a plant from which a new plant can grow.
oxygen|Oxygen is a gas in the air. People and animals need to breathe it to live.
carbon dioxide|Carbon dioxide is a gas that we breathe out and that plants use to make food.
electricity|Electricity is a form of energy made by moving electric charges. It powers lights, phones and many machines.
energy|Energy is the ability to do work. Light, heat, movement and electricity are forms of energy.
a magnet|A magnet is an object that pulls iron and some other metals towards it. It has a north pole and a south pole.
light|Light is a form of energy that lets us see. It travels faster than anything else.
sound|Sound is a vibration that travels through air, water or other things and that we can hear.
the heart|The heart is a muscle that pumps blood around the body.
the brain|The brain is the organ in your head that lets you think, feel, remember and move.
a bone|A bone is a hard part inside the body. Our bones make up the skeleton, which holds us up.
blood|Blood is the red liquid that carries food and oxygen around the body.
DNA|DNA is the material in living cells that carries the instructions for how a living thing grows.
a cell|A cell is the smallest unit of life. All living things are made of cells.
a germ|A germ is a very small living thing that can make you ill. Washing your hands helps to remove germs.
a vaccine|A vaccine is a medicine that teaches the body how to fight a disease before you catch it.
a computer|A computer is a machine that follows instructions to work with information.
the internet|The internet is a worldwide network of computers that share information.
a browser|A browser is a program that shows web pages. I am running inside one right now.
a robot|A robot is a machine that can do work by itself by following a program.
artificial intelligence|Artificial intelligence is the name for computer programs that do things that seem to need thinking, such as understanding language.
a language model|A language model is a program that has learnt from a lot of text to guess the next word. That is how I write my answers.
a program|A program is a list of instructions that tells a computer what to do.
an algorithm|An algorithm is a list of steps for solving a problem, like a recipe for a computer.
a telescope|A telescope is a tool that makes faraway things, such as stars, look nearer and larger.
a microscope|A microscope is a tool that lets us see very small things.
a compass|A compass is a tool with a needle that points north.
a map|A map is a drawing of a place seen from above. It shows where things are.
a calendar|A calendar shows the days, weeks and months of a year.
a clock|A clock is a machine that shows the time.
a bicycle|A bicycle is a vehicle with two wheels that you move by pushing pedals with your feet.
a train|A train is a row of carriages that runs on rails and carries people or goods.
an aeroplane|An aeroplane is a flying machine with wings and engines.
a library|A library is a place where you can read and borrow books.
a museum|A museum is a place where interesting old, beautiful or scientific things are kept for people to see.
a school|A school is a place where children go to learn.
a hospital|A hospital is a place where doctors and nurses take care of people who are ill or hurt.
a farm|A farm is a piece of land where people grow plants and keep animals for food.
bread|Bread is a food made from flour, water and usually yeast, and baked in an oven.
cheese|Cheese is a food made from milk.
honey|Honey is a sweet, sticky food that bees make from nectar.
chocolate|Chocolate is a sweet food made from the beans of the cacao tree.
tea|Tea is a drink made by putting the leaves of the tea plant in hot water.
coffee|Coffee is a drink made from the roasted beans of the coffee plant.
rice|Rice is a grain that grows in wet fields. It is eaten all over the world, above all in Asia.
an apple|An apple is a round fruit that grows on trees. It can be red, green or yellow.
a lemon|A lemon is a yellow fruit with a sour taste.
sugar|Sugar is a sweet material that comes from sugar cane or sugar beet.
salt|Salt is a white mineral that we use to give food flavour. There is a lot of it in the sea.
gold|Gold is a soft yellow metal that is worth a lot of money. Its symbol is Au.
iron|Iron is a strong metal that is used to make steel. Its symbol is Fe.
glass|Glass is a hard, clear material that is made by melting sand.
paper|Paper is a thin material made from wood. We write and print on it.
music|Music is sound put together in a way that people enjoy, with rhythm and melody.
a poem|A poem is a piece of writing that uses the sound and rhythm of words to express a feeling or an idea.
a novel|A novel is a long written story about made-up people and events.
a fable|A fable is a short story, often about animals, that teaches a lesson.
a haiku|A haiku is a short poem from Japan with three lines of five, seven and five syllables.
a noun|A noun is a word that names a person, a place, a thing or an idea, such as "teacher", "city" or "apple".
a verb|A verb is a word for an action or a state, such as "run", "eat" or "be".
an adjective|An adjective is a word that describes a noun, such as "big", "red" or "happy".
a friend|A friend is a person whom you like and trust and enjoy spending time with.
friendship|Friendship is a bond between people who like, trust and help each other.
love|Love is a strong feeling of care for someone or something.
happiness|Happiness is the good feeling you have when things go well or when you are with people you love.
courage|Courage is doing what is right or needed even when you are afraid.
kindness|Kindness is being friendly, helpful and caring to others.
honesty|Honesty is telling the truth and not cheating.
patience|Patience is being able to wait calmly.
democracy|Democracy is a form of government in which the people choose their leaders by voting.
history|History is the study of things that happened in the past.
science|Science is the study of the natural world by observing it and doing experiments.
mathematics|Mathematics is the study of numbers, shapes and patterns.
geography|Geography is the study of the Earth, its lands, its seas and its people.
chess|Chess is a board game for two players. The goal is to checkmate the other player's king.
football|Football is a game in which two teams of eleven players try to kick a ball into the other team's goal.
the weather|The weather is what the air outside is like: hot or cold, wet or dry, windy or calm.
the Great Wall of China|The Great Wall of China is a very long wall that was built over many centuries to protect China.
the Eiffel Tower|The Eiffel Tower is a tall iron tower in Paris. It was finished in 1889.
the Amazon|The Amazon is the great river of South America. It flows through the largest rainforest in the world.
the Sahara|The Sahara is the largest hot desert in the world. It lies in the north of Africa.
Mount Everest|Mount Everest is the highest mountain in the world. It stands in the Himalayas, between Nepal and China.
Antarctica|Antarctica is the coldest continent. It lies around the South Pole and is covered with ice.
Quern|Quern is a language model engine that runs in your browser. I am the small model that comes with it.
WebGPU|WebGPU is a way for web pages to use the graphics card. Quern uses it to run language models quickly.
WebAssembly|WebAssembly is a kind of fast code that web browsers can run.
""")

# question variants ; ... | answer
QA = table("""
Why is the sky blue?;Why does the sky look blue?;Can you explain why the sky is blue?|The sky looks blue because the air scatters blue light from the Sun more than it scatters the other colours.
Why do leaves change colour in autumn?;Why do leaves turn red and yellow?|In autumn the days get shorter and leaves stop making green chlorophyll. The yellow and red colours then become visible.
Why is the sea salty?;Why is the ocean salty?|Rivers carry tiny amounts of salt from rocks to the sea. Over a very long time this has made the sea salty.
Why do we sleep?;Why do people need sleep?|We sleep so that our body and brain can rest and repair themselves. Good sleep also helps us remember what we have learnt.
Why do we dream?|Nobody knows for sure, but many scientists think that dreams help the brain sort memories and feelings.
Why does it rain?;How does rain form?;What causes rain?|Water from seas and lakes rises into the air as vapour, cools down and forms clouds. When the drops in the clouds get heavy, they fall as rain.
Why is snow white?|Snow looks white because its many tiny crystals reflect all the colours of light.
How do planes fly?;How do airplanes stay in the air?;How does an aeroplane fly?|The engines push the plane forward, and the air that flows around the wings pushes it up. This upward push is called lift.
How do birds fly?|Birds fly by flapping their wings, which push air down and lift them up. Their light bones and feathers help too.
How do fish breathe?;How do fish breathe under water?|Fish breathe with gills. Water flows over the gills, and they take oxygen out of it.
How do bees make honey?|Bees collect nectar from flowers, carry it to the hive and fan it with their wings until the water dries away and thick honey is left.
How do plants grow?;What do plants need to grow?|Plants need sunlight, water, air and good soil. They make food in their leaves and take up water with their roots.
How many days are in a year?;How many days does a year have?|A year has 365 days, and a leap year has 366.
How many days are in a week?;How many days does a week have?|There are seven days in a week.
How many months are in a year?;How many months does a year have?|There are twelve months in a year.
How many hours are in a day?;How many hours does a day have?|There are 24 hours in a day.
How many minutes are in an hour?|There are 60 minutes in an hour.
How many seconds are in a minute?|There are 60 seconds in a minute.
How many weeks are in a year?|There are about 52 weeks in a year.
How many days are in February?|February has 28 days, or 29 in a leap year.
What is a leap year?|A leap year is a year with 366 days. It comes every four years and has an extra day, February 29.
How many continents are there?;What are the continents?|There are seven continents: Africa, Antarctica, Asia, Europe, North America, South America and Australia.
How many oceans are there?;What are the oceans?|There are five oceans: the Pacific, the Atlantic, the Indian, the Southern and the Arctic Ocean.
How many planets are there?;How many planets are in the solar system?;How many planets does our solar system have?|There are eight planets in our solar system: Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus and Neptune.
What is the largest planet?;Which planet is the biggest?;What is the biggest planet in the solar system?|Jupiter is the largest planet in our solar system.
What is the smallest planet?;Which planet is the smallest?|Mercury is the smallest planet in our solar system.
Which planet is closest to the Sun?;What is the closest planet to the Sun?|Mercury is the planet closest to the Sun.
Which planet is the red planet?;Which planet is known as the red planet?|Mars is known as the red planet.
Which planet has rings?|Saturn is famous for its bright rings. Jupiter, Uranus and Neptune have faint rings too.
How far away is the Moon?;How far is the Moon from the Earth?|The Moon is about 384,000 kilometres from the Earth.
How far away is the Sun?;How far is the Earth from the Sun?|The Sun is about 150 million kilometres from the Earth.
How old is the Earth?|The Earth is about 4.5 billion years old.
How long does the Earth take to go around the Sun?|The Earth takes one year, about 365 days, to go around the Sun.
What is the largest ocean?;Which ocean is the biggest?;What is the biggest ocean on Earth?|The Pacific Ocean is the largest ocean on Earth.
What is the smallest ocean?|The Arctic Ocean is the smallest ocean.
What is the largest continent?;Which continent is the biggest?|Asia is the largest continent.
What is the smallest continent?|Australia is the smallest continent.
What is the longest river in the world?;Which river is the longest?|The Nile in Africa is usually named as the longest river in the world. The Amazon is almost as long.
What is the highest mountain in the world?;What is the tallest mountain?;Which mountain is the highest on Earth?|Mount Everest is the highest mountain in the world. It is about 8,849 metres high.
What is the largest country in the world?;Which country is the biggest?|Russia is the largest country in the world by area.
What is the smallest country in the world?;Which country is the smallest?|Vatican City is the smallest country in the world.
Which country has the most people?;What is the most populated country?|India and China have the most people, about 1.4 billion each.
What is the largest animal?;What is the biggest animal in the world?;Which animal is the largest?|The blue whale is the largest animal in the world.
What is the fastest animal?;What is the fastest land animal?;Which animal runs the fastest?|The cheetah is the fastest animal on land.
What is the tallest animal?;Which animal is the tallest?|The giraffe is the tallest animal in the world.
What is the largest land animal?|The African elephant is the largest land animal.
What is the largest bird?|The ostrich is the largest bird in the world.
What is the smallest bird?|The bee hummingbird is the smallest bird in the world.
How many legs does an insect have?|An insect has six legs.
Is a spider an insect?|No, a spider is not an insect. It has eight legs, and insects have six.
Is a whale a fish?|No, a whale is a mammal. It breathes air and feeds its young with milk.
Is a dolphin a fish?|No, a dolphin is a mammal. It breathes air and feeds its young with milk.
Is a tomato a fruit?;Is a tomato a fruit or a vegetable?|To a scientist a tomato is a fruit, because it has seeds inside. In cooking it is used as a vegetable.
Can penguins fly?|No, penguins cannot fly, but they are very good swimmers.
Can pigs fly?|No, pigs cannot fly. They do not have wings.
Do fish sleep?|Yes, fish rest, but most of them do it with their eyes open because they have no eyelids.
Can you breathe in space?;Is there air in space?|No, there is no air in space, so people need a space suit to breathe there.
What do cows drink?|Cows drink water. Only calves drink milk.
Where does milk come from?|Milk comes from cows, and also from goats and sheep.
Where do eggs come from?|The eggs that we eat mostly come from hens.
Where does the sun rise?;In which direction does the sun rise?|The sun rises in the east.
Where does the sun set?;In which direction does the sun set?|The sun sets in the west.
At what temperature does water boil?;When does water boil?;What is the boiling point of water?|Water boils at 100 degrees Celsius, which is 212 degrees Fahrenheit.
At what temperature does water freeze?;When does water freeze?;What is the freezing point of water?|Water freezes at 0 degrees Celsius, which is 32 degrees Fahrenheit.
What is water made of?;What is the chemical formula of water?;What is H2O?|Water is made of hydrogen and oxygen. Its formula is H2O.
What is air made of?;What gases are in the air?|Air is mostly nitrogen, about 78 percent, and oxygen, about 21 percent.
What are the three states of matter?;What are the states of matter?|The three common states of matter are solid, liquid and gas.
What is the speed of light?;How fast is light?|Light travels at about 300,000 kilometres per second.
What is the speed of sound?;How fast is sound?|In air, sound travels at about 340 metres per second.
How many bones does a person have?;How many bones are in the human body?|An adult person has 206 bones.
How many teeth does a person have?;How many teeth do adults have?|An adult usually has 32 teeth.
How many fingers do people have?;How many fingers do I have?|Most people have ten fingers, five on each hand.
How many senses do people have?;What are the five senses?|The five senses are sight, hearing, smell, taste and touch.
What does the heart do?;What is the heart for?|The heart pumps blood through the body.
What do lungs do?;What are lungs for?|The lungs take oxygen from the air that we breathe in and give off carbon dioxide.
What is the largest organ of the body?|The skin is the largest organ of the human body.
What are the primary colours?;What are the primary colors?|The primary colours are red, yellow and blue.
What colours are in the rainbow?;What are the colors of the rainbow?;Name the colours of the rainbow.|The colours of the rainbow are red, orange, yellow, green, blue, indigo and violet.
What are the four seasons?;What are the seasons?;Name the four seasons.|The four seasons are spring, summer, autumn and winter.
What comes after winter?;Which season comes after winter?|Spring comes after winter.
What comes after summer?;Which season comes after summer?|Autumn comes after summer.
What are the days of the week?;Name the days of the week.;List the days of the week.|The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.
What are the months of the year?;Name the months of the year.;List the months.|The months are January, February, March, April, May, June, July, August, September, October, November and December.
What is the alphabet?;Say the alphabet.;Write the alphabet.|A B C D E F G H I J K L M N O P Q R S T U V W X Y Z
How many letters are in the alphabet?|The English alphabet has 26 letters.
What are the vowels?;Which letters are vowels?|The vowels are A, E, I, O and U, and sometimes Y.
How many sides does a triangle have?|A triangle has three sides.
How many sides does a square have?|A square has four equal sides.
How many sides does a hexagon have?|A hexagon has six sides.
How many sides does a circle have?|A circle has no straight sides. It is round.
How many sides does a pentagon have?|A pentagon has five sides.
What is pi?|Pi is the ratio of a circle's circumference to its diameter. It is about 3.14159.
What is a prime number?|A prime number is a whole number greater than 1 that can be divided only by 1 and itself, such as 2, 3, 5 and 7.
How many centimetres are in a metre?|There are 100 centimetres in a metre.
How many metres are in a kilometre?|There are 1,000 metres in a kilometre.
How many grams are in a kilogram?|There are 1,000 grams in a kilogram.
How many inches are in a foot?|There are 12 inches in a foot.
How many is a dozen?;What is a dozen?|A dozen is twelve.
How many years are in a century?;What is a century?|A century is one hundred years.
How many years are in a decade?;What is a decade?|A decade is ten years.
Who was the first person on the Moon?;Who first walked on the Moon?|Neil Armstrong was the first person to walk on the Moon, in 1969.
Who was the first person in space?|Yuri Gagarin was the first person in space, in 1961.
Who was the first president of the United States?;Who was the first American president?|George Washington was the first president of the United States.
When did World War II end?;When did the Second World War end?|The Second World War ended in 1945.
When did World War I begin?;When did the First World War start?|The First World War began in 1914.
When did the Titanic sink?|The Titanic sank in April 1912 after it hit an iceberg.
Where are the pyramids?;Where can you see the great pyramids?|The great pyramids are in Egypt, near Cairo.
Where is the Eiffel Tower?|The Eiffel Tower is in Paris, France.
Where is the Statue of Liberty?|The Statue of Liberty is in New York, in the United States.
Where is Big Ben?|Big Ben is in London, in the United Kingdom.
Where is the Great Wall?|The Great Wall is in China.
Where is the Taj Mahal?|The Taj Mahal is in Agra, in India.
Where is the Colosseum?|The Colosseum is in Rome, Italy.
Where do penguins live?|Most penguins live in the cold south, for example in Antarctica.
Where do polar bears live?|Polar bears live in the Arctic, around the North Pole.
Where do kangaroos live?|Kangaroos live in Australia.
What is the currency of Japan?|The currency of Japan is the yen.
What is the currency of the United Kingdom?|The currency of the United Kingdom is the pound.
What is the currency of the United States?|The currency of the United States is the dollar.
What is the currency of France?;What money is used in Germany?|It is the euro.
What language do people speak in Brazil?|People in Brazil speak Portuguese.
What do caterpillars turn into?;What does a caterpillar become?|A caterpillar turns into a butterfly or a moth.
What do tadpoles become?;What does a tadpole grow into?|A tadpole grows into a frog.
What do bees make?|Bees make honey and wax.
What do you use to write?|You can write with a pen, a pencil or a keyboard.
What do you use an umbrella for?;What is an umbrella for?|An umbrella keeps you dry when it rains.
What do you wear when it is cold?|When it is cold you can wear a coat, a scarf, a hat and gloves.
What do you do with a book?|You read a book.
What is the meaning of life?;What is the purpose of life?|People have thought about that for thousands of years. Many find meaning in love, in learning, in helping others and in making things.
What came first, the chicken or the egg?|The egg did, in a way: animals laid eggs long before there were chickens. But it makes a fun puzzle.
How do I boil an egg?;How do you boil an egg?;How can I cook an egg?|Put the egg in a pot of boiling water. Wait about six minutes for a soft egg or ten minutes for a hard one, then cool it in cold water.
How do I make tea?;How do you make a cup of tea?|Boil fresh water, pour it over a tea bag in a cup and wait three to five minutes. Take the bag out and add milk, lemon or sugar if you like.
How do I make a sandwich?;How do you make a sandwich?|Take two slices of bread and spread butter on them. Add cheese, ham or vegetables, put the slices together and cut the sandwich in half.
How do I make pancakes?;Can you give me a recipe for pancakes?|Mix one cup of flour, one cup of milk, one egg and a pinch of salt. Fry a spoonful at a time in a hot, buttered pan, and turn each pancake when the top looks dry.
How do I cook pasta?;How do you cook pasta?|Boil plenty of salted water, add the pasta and stir. Cook it for eight to twelve minutes, taste a piece, and drain it when it is soft enough.
How do I cook rice?|Rinse the rice, add twice as much water, bring it to a boil, cover it and let it cook gently for about fifteen minutes. Then let it rest for five minutes.
How can I sleep better?;Give me tips for better sleep.;I can't sleep. What should I do?;Give me three tips for sleeping well.|Here are three tips. 1. Go to bed at the same time every night. 2. Keep your room dark, quiet and cool. 3. Put your phone away an hour before bed.
How can I learn a language?;How do I learn a new language?;Give me tips for learning a language.|Practise a little every day, learn common words first, listen to songs and stories, and speak with people even if you make mistakes.
How can I stay healthy?;How do I stay healthy?;Give me some health tips.|Eat plenty of fruit and vegetables, drink water, move every day, sleep well and spend time with people you like.
How can I be happy?;How can I be happier?|Spend time with people you love, go outside, help someone, do things you enjoy, and be kind to yourself.
How can I make friends?;How do I make new friends?|Be friendly, smile and say hello. Ask people about themselves, listen well, and join a club or a class where people share your interests.
How can I save money?;Give me tips for saving money.|Write down what you spend, make a simple plan for each month, cook at home more often, and put a little money aside as soon as you get it.
How can I study better?;How do I study for a test?;Give me study tips.|Study in short blocks with breaks, explain the ideas in your own words, test yourself, and sleep well before the exam.
How can I relax?;I am stressed. What can I do?;How do I calm down?|Take a few slow, deep breaths. A short walk, some quiet music, or a talk with a friend can help too.
How can I be more productive?;How do I get more done?|Choose the most important task of the day, do it first, work without your phone for half an hour at a time, and take short breaks.
How do I write a good story?;How can I write a story?|Start with a character who wants something. Put a problem in the way, let the character try and fail and try again, and end with what changed.
How do I plant a tree?;How do you plant a seed?|Dig a hole, put the plant or seed in it, cover it with soil and give it water. Then keep it watered and make sure that it gets light.
How do I take care of a dog?;How should I look after a dog?|Give your dog food, fresh water and a warm bed. Walk it every day, play with it, be kind, and take it to the vet for check-ups.
How do I take care of a plant?;How do I keep a plant alive?|Put it where it gets enough light, water it when the top of the soil feels dry, and give it some plant food in spring and summer.
How do I brush my teeth?|Put a little toothpaste on your brush and brush all sides of your teeth gently for two minutes, in the morning and in the evening.
How do I tie my shoes?|Cross the laces and pull one end under. Make a loop with each lace, cross the loops, pull one through the hole, and pull tight.
What should I eat for breakfast?;What is a good breakfast?|Porridge with fruit, eggs on toast, or yogurt with nuts all make a good breakfast.
What should I cook for dinner?;What can I make for dinner?|How about pasta with tomato sauce, a vegetable soup with bread, or rice with beans? They are all quick and tasty.
What should I do today?;I am bored. What should I do?;I'm bored.|You could read a book, go for a walk, draw something, call a friend or bake a cake. Or I can tell you a story!
What is a good name for a cat?;Suggest a name for my cat.|How about Luna, Milo, Pepper or Whiskers?
What is a good name for a dog?;Suggest a name for my dog.|How about Buddy, Daisy, Max or Scout?
What is a good gift for a friend?;What should I give my friend for her birthday?|A book, a plant, a box of sweets, or something that you made yourself is a nice gift.
What books should I read?;Can you recommend a book?|You could try Alice's Adventures in Wonderland, Treasure Island or Little Women. They are old, but they are still fun to read.
Where should I go on holiday?;Where should I travel?|If you like warm weather, the seaside is lovely. If you like quiet, try the mountains. For museums and good food, visit a city such as Rome or Paris.
Why should I read books?;Why is reading good?|Reading teaches you new words and ideas, takes you to other places, and helps you understand other people.
Why is exercise good?;Why should I exercise?|Exercise keeps your heart and muscles strong, helps you sleep and can lift your mood.
Why do we brush our teeth?|We brush our teeth to remove food and germs that can cause holes in them.
Why do we have day and night?;What causes day and night?|We have day and night because the Earth turns around once every 24 hours. The side that faces the Sun has day.
Why do we have seasons?;What causes the seasons?|We have seasons because the Earth is tilted as it goes around the Sun, so each half gets more sunlight in one part of the year.
Why does the Moon shine?|The Moon shines because it reflects the light of the Sun.
Why do stars twinkle?|Stars seem to twinkle because their light passes through moving air before it reaches our eyes.
Why do cats purr?|Cats often purr when they are happy, and sometimes to calm themselves.
Why do dogs bark?|Dogs bark to warn, to greet, to play or to ask for attention.
Why do onions make you cry?|Cutting an onion sets free a gas that stings your eyes, and your eyes make tears to wash it away.
Why do we yawn?|People yawn when they are tired or bored. Scientists are not quite sure why, but it may help to wake the brain.
Why do balloons float?|A balloon filled with helium floats because helium is lighter than air.
Why do ships float?|A ship floats because it pushes away water that weighs as much as the ship does.
Why does ice float?|Ice floats because it is less dense than liquid water.
What is 1 + 1?;What is one plus one?|One plus one is two.
How do you spell cat?|C-A-T.
How do you say hello in French?;What is hello in French?|In French, "hello" is "bonjour".
How do you say hello in Spanish?;What is hello in Spanish?|In Spanish, "hello" is "hola".
How do you say hello in German?|In German, "hello" is "hallo".
How do you say hello in Italian?|In Italian, "hello" is "ciao".
How do you say thank you in French?|In French, "thank you" is "merci".
How do you say thank you in Spanish?|In Spanish, "thank you" is "gracias".
How do you say thank you in German?|In German, "thank you" is "danke".
How do you say goodbye in French?|In French, "goodbye" is "au revoir".
How do you say goodbye in Spanish?|In Spanish, "goodbye" is "adios".
How do you say cat in Spanish?|In Spanish, "cat" is "gato".
How do you say dog in French?|In French, "dog" is "chien".
How do you say water in French?|In French, "water" is "eau".
What is the difference between a frog and a toad?|Frogs have smooth, wet skin and long legs for jumping. Toads have dry, bumpy skin and shorter legs.
What is the difference between weather and climate?|Weather is what the air is like today. Climate is the usual weather of a place over many years.
What is the difference between a fruit and a vegetable?|A fruit grows from a flower and holds seeds. A vegetable is another part of a plant, such as a root, a stem or a leaf.
Are cats better than dogs?;Which is better, cats or dogs?;Do you prefer cats or dogs?|Both make wonderful pets. Cats are quiet and independent, and dogs are playful and loyal. I could not choose!
What is the difference between a cat and a dog?;How are cats and dogs different?|Dogs are usually loyal, playful and need walks. Cats are quieter and more independent, and they keep themselves clean.
What is the difference between a star and a planet?|A star is a hot ball of gas that makes its own light. A planet goes around a star and only reflects its light.
What is the difference between the Sun and the Moon?|The Sun is a star that makes its own light. The Moon is a ball of rock that reflects the light of the Sun.
What is the difference between a lake and a sea?|A lake has land all around it and is usually fresh water. A sea is larger, salty and joined to the ocean.
What is the difference between a city and a village?|A city is large and has many people and buildings. A village is small and has few people.
What is the difference between a horse and a zebra?|A zebra has black and white stripes and lives wild in Africa. Horses come in many colours and often live with people.
What is the difference between a butterfly and a moth?|Butterflies fly by day and often have bright colours. Most moths fly at night and are brown or grey.
What is the difference between an alligator and a crocodile?|An alligator has a wide, round snout, and a crocodile has a narrow, pointed one.
What is the difference between a novel and a short story?|A novel is long and may have many characters. A short story is short and usually tells about one event.
What is the difference between a mammal and a bird?|A mammal has hair and feeds its babies with milk. A bird has feathers and lays eggs.
What is the difference between tea and coffee?|Tea is made from leaves and coffee is made from roasted beans. Coffee usually has more caffeine.
What is the difference between a violin and a guitar?|A violin is played with a bow and held under the chin. A guitar is larger and its strings are plucked.
How does a car work?;How do cars work?|The engine burns fuel, or a motor uses electricity from a battery, and that power turns the wheels. The driver steers with the wheel and stops with the brakes.
How does a computer work?;How do computers work?|A computer follows a list of instructions called a program. It takes in data, does many small calculations very quickly and shows the result.
How does the internet work?|The internet joins computers all over the world by cables and radio. They send each other small packets of data.
How does a telephone work?;How does a phone work?|A phone turns your voice into signals and sends them to another phone, which turns them back into sound.
How does a refrigerator work?;How does a fridge work?|A refrigerator moves heat from the inside to the outside with the help of a fluid and a pump, so the food stays cold.
How does a camera work?|A camera lets light in through a lens and records the picture on a sensor or on film.
How does a clock work?|A clock counts steady movements, such as the swings of a pendulum or the beats of a crystal, and shows them as time.
How does a boat float?;How does a boat work?|A boat pushes water away. When the water that it pushes away weighs as much as the boat, the boat floats.
How does a rocket work?;How do rockets fly?|A rocket burns fuel and pushes hot gas down very fast. This pushes the rocket up.
How does a battery work?|A battery stores energy in chemicals. When you connect it, the chemicals react and an electric current flows.
How does a light bulb work?|Electricity flows through the bulb and makes a part of it glow.
How does a bicycle work?;How does a bike work?|You push the pedals, the chain turns the back wheel, and the bicycle rolls forward. You steer with the handlebars.
How does a train work?|An engine pulls the carriages along rails. It runs on electricity or on diesel fuel, and long ago it ran on steam.
How does a windmill work?|The wind turns the sails, and the turning sails drive a mill that grinds grain or makes electricity.
How do magnets work?|In a magnet, many tiny magnetic parts point the same way. Together they pull iron and push or pull other magnets.
How do vaccines work?|A vaccine shows your body a harmless piece of a germ. Your body learns to fight it and remembers how.
How do plants drink?;How do plants get water?|Plants take up water with their roots. It rises through the stem to the leaves.
How do spiders make webs?|Spiders make silk in their bodies and pull it out in threads. They fix the threads between branches and weave a web.
How do birds build nests?|Birds gather twigs, grass, mud and feathers and weave them together with their beaks.
How do bats see in the dark?;How do bats find their way?|Bats make high sounds and listen to the echoes. The echoes tell them where things are.
How do clouds form?;How are clouds made?|Warm air rises and cools, and the water in it turns into tiny drops. Many drops together make a cloud.
How is paper made?|Paper is made from wood. The wood is cut up and mixed with water to a pulp, which is pressed flat and dried.
How is glass made?|Glass is made by melting sand with a few other minerals at a very high heat.
How is cheese made?|Milk is warmed and made thick, the solid part is separated from the liquid, salted, pressed and left to ripen.
How is bread made?;How do I bake bread?;How do you make bread?|Mix flour, water, yeast and a little salt. Knead the dough, let it rise for an hour, shape it and bake it for about forty minutes.
How is chocolate made?|Cacao beans are dried, roasted and ground. Then sugar, and often milk, is added.
How is rain made?|Water rises into the air as vapour, cools into clouds and falls down again as rain.
How do I bake a cake?;How do you make a cake?;Can you give me a cake recipe?|Mix flour, sugar, butter, eggs and a little baking powder. Pour it into a tin and bake it for about forty minutes at 180 degrees.
How do I make soup?;How do you make vegetable soup?|Cut some onions, carrots and potatoes, fry them for a minute, add water and salt, and let it cook for about twenty minutes.
How do I make coffee?|Put ground coffee in a filter, pour hot water over it slowly, and let it drip into your cup.
How do I make lemonade?|Squeeze three lemons, add a litre of water and some sugar, stir and serve it cold.
How do I make a salad?|Wash some lettuce, tomatoes and cucumber, cut them up, and add oil, vinegar, salt and pepper.
How do I make a paper plane?|Fold a sheet in half lengthwise, fold the top corners to the middle, fold the sides to the middle again, and bend down the wings.
How do I ride a bicycle?;How can I learn to ride a bike?|Start on flat ground, push off with one foot, look ahead and keep pedalling. It helps if someone holds the seat at first.
How do I learn to swim?;How can I learn to swim?|Begin in shallow water with a teacher. Practise floating, kicking and breathing, and take your time.
How do I write a letter?|Begin with the date and a greeting, say why you write, tell your news, and end with a kind word and your name.
How do I apologise?;How can I say sorry?|Say what you did wrong, say that you are sorry, and ask how you can make it right.
How do I clean my room?|Put the rubbish away first, then clothes and books, wipe the dust from the shelves, and sweep the floor at the end.
How do I wash my hands?|Wet your hands, use soap, rub all sides for twenty seconds, rinse them and dry them well.
How do I find a job?|Think about what you can do and like to do, write a short CV, ask people you know, and send applications every week.
How do I prepare for an interview?|Learn about the company, practise short answers about yourself, prepare two questions, and arrive a little early.
How can I run faster?;How do I get fit?;How do I start running?|Begin slowly with short runs three times a week, rest in between, and go a little further each week.
How can I lose weight?|Eat more vegetables and less sugar, drink water, move every day and be patient. A doctor can give you good advice.
How can I be more confident?;How can I be braver?|Begin with small steps, prepare well, stand straight, and remember what you have already done. Courage grows with practice.
How can I help the environment?;How can we protect nature?|Save energy and water, throw away less, walk or ride a bicycle, and plant trees.
How can I learn English?;Give me some tips for learning English.;How can I improve my English?|Read easy stories, listen to songs and films, learn a few words every day, and speak as often as you can. Do not be afraid of mistakes.
How can I learn to cook?;I want to learn to cook.|Start with easy dishes such as eggs, soup or pasta. Follow a simple recipe, taste as you go, and try a new dish every week.
How can I learn to draw?;I want to learn to draw.|Begin with simple shapes, look closely at things, and draw a little every day.
How can I learn to play the piano?;I want to learn the piano.|Find a good teacher or a simple book, practise ten minutes every day, and start with songs that you like.
How can I learn to sing?;I want to learn to sing.|Breathe deeply, warm up with easy notes, and sing songs you like every day. A teacher or a choir helps a lot.
How can I learn to dance?;I want to learn to dance.|Start with slow music and easy steps, count the beat, and practise with a friend or in a class.
How can I write better?;How do I become a writer?|Read a lot, write a little every day, use short and clear sentences, and read your text aloud.
How can I concentrate better?;How can I focus?|Put your phone away, choose one task, work for twenty-five minutes, then take a short break.
How can I wake up early?|Go to bed earlier, get up at the same time every day, and open the curtains at once.
How can I remember things better?;How can I improve my memory?|Repeat what you want to remember, say it in your own words, make pictures in your mind, and sleep well.
How can I grow tomatoes?;How do I grow tomatoes?|Plant them in a warm, sunny place, water the soil often, tie them to a stick, and pick them when they are red.
Give me some tips for a healthy breakfast.|Choose whole grains, fruit and something with protein, such as eggs, yogurt or nuts, and drink a glass of water.
Give me tips for a job interview.|Prepare well, be on time, listen, answer clearly and ask a good question at the end.
Give me tips for travelling.;What should I pack for a trip?|Take clothes for the weather, good shoes, your papers, medicine, a charger and a book. Pack less than you think you need.
What can I do on a rainy day?;What should I do when it rains?|You could read a book, bake biscuits, draw, play a board game or watch an old film.
What can I do on a sunny day?|You could go for a walk, have a picnic, ride a bicycle, swim or work in the garden.
What can I do in the winter?|You could build a snowman, go skating, drink hot chocolate or read by the fire.
What can I do with my children?;What can I play with my kids?|You could play hide and seek, bake together, build a tent from blankets, or tell them a story.
What can I do with old newspapers?|You can wrap things in them, clean windows with them, fold hats or boats, or recycle them.
What should I wear today?|Look at the weather: take a coat if it is cold, something light if it is warm, and an umbrella if it rains.
What should I drink?|Water is best. Tea, milk or juice are nice too.
What should I do if I am lost?|Stay calm, look around for signs, and ask a friendly person or a police officer for help.
What should I do if I cannot sleep?|Get up for a moment, read something quiet, breathe slowly, and do not look at your phone.
Is the Earth round?;Is the Earth flat?|The Earth is round, like a ball that is a little flat at the poles.
Is the Sun a star?;Is the Sun a planet?|The Sun is a star. It is the star nearest to the Earth.
Is the Moon a planet?|No, the Moon is not a planet. It goes around the Earth.
Is Pluto a planet?|Pluto was once called a planet. Since 2006 it has been called a dwarf planet.
Is water wet?|Yes, water is wet, and it makes other things wet.
Is fire hot?|Yes, fire is very hot. Do not touch it.
Is ice cold?|Yes, ice is cold. It is frozen water.
Is a bat a bird?|No, a bat is a mammal that can fly.
Is a penguin a bird?|Yes, a penguin is a bird, but it cannot fly.
Is a frog a reptile?|No, a frog is an amphibian.
Is a snake a reptile?|Yes, a snake is a reptile.
Is an apple a fruit?|Yes, an apple is a fruit.
Is a carrot a fruit?|No, a carrot is a vegetable. It is a root.
Is chocolate healthy?|A little dark chocolate is fine, but chocolate has a lot of sugar and fat, so do not eat too much.
Is coffee bad for you?|A cup or two a day is fine for most people. Too much coffee can make you nervous and keep you awake.
Is Paris in Italy?|No, Paris is in France.
Is London in England?|Yes, London is the capital of England and of the United Kingdom.
Is Africa a country?|No, Africa is a continent with more than fifty countries.
Is Australia a continent?|Yes, Australia is a continent and also a country.
Is English hard to learn?|English has easy grammar but difficult spelling. With a little practice every day you can learn it.
Is magic real?|Not as in fairy tales, but there are many wonderful things in the world.
Are dragons real?;Do dragons exist?|No, dragons live only in stories. But they are fun to read about!
Are unicorns real?;Do unicorns exist?|No, unicorns live only in stories.
Are ghosts real?;Do ghosts exist?|There is no good evidence that ghosts exist, but there are many ghost stories.
Are there aliens?;Do aliens exist?;Is there life on Mars?|Nobody knows. So far scientists have not found life outside the Earth.
Are dinosaurs alive today?;Do dinosaurs still live?|The great dinosaurs died out about 66 million years ago, but birds are their living relatives.
Are spiders dangerous?|Most spiders are harmless and even useful, because they eat insects. Only a few are dangerous.
Are cats smart?|Yes, cats are clever. They learn quickly, when they want to.
Are dogs smart?|Yes, dogs are clever and can learn many words and tricks.
Can cats swim?|Most cats can swim, but they do not like it.
Can dogs see colours?|Yes, but fewer than we do. They mostly see blue and yellow.
Can fish breathe air?|No, most fish can breathe only in water.
Can birds swim?|Some can. Ducks, swans and penguins are very good swimmers.
Can humans fly?|Not by themselves, but they can fly in planes and balloons.
Can elephants jump?|No, elephants cannot jump.
Can plants grow without light?|Green plants need light to make food, so they cannot grow without it for long.
Can you live without water?|No. People can live only about three days without water.
Do bees sleep?|Yes, bees rest at night.
Do trees sleep?|Not like animals, but many trees rest in the winter.
Do plants breathe?|Yes, plants take in and give off gases through tiny holes in their leaves.
Do all birds fly?|No. Penguins and ostriches, for example, cannot fly.
Why do cats sleep so much?;Why do cats sleep all day?|Cats are hunters, and hunting takes a lot of energy. So they rest most of the day.
Why do dogs wag their tails?|Dogs often wag their tails when they are happy or excited.
Why do birds sing?|Birds sing to find a partner and to say that a place is theirs.
Why do birds fly south?;Why do birds migrate?|Many birds fly to warmer places in the autumn, because there is more food in the winter there.
Why do bears sleep in winter?|There is little food in the winter, so bears eat a lot in autumn and then sleep to save energy.
Why do zebras have stripes?|Nobody is quite sure. The stripes may confuse biting flies and hunters.
Why do giraffes have long necks?|With their long necks giraffes can reach leaves high up in the trees.
Why do camels have humps?|Camels store fat in their humps, which they use when there is no food.
Why do elephants have trunks?|An elephant uses its trunk to breathe, smell, drink, eat and pick things up.
Why do leaves fall?|Trees drop their leaves in autumn to save water and energy in the winter.
Why do flowers smell?;Why are flowers colourful?|Flowers use scent and colour to attract bees and other insects, which carry their pollen.
Why do we eat?|Food gives us energy and the materials that our body needs to grow and repair itself.
Why do we drink water?|Our body is mostly water and loses some of it all day, so we must drink to replace it.
Why do we cry?|People cry when they are sad, hurt or very happy. Tears also keep the eyes clean.
Why do we laugh?|We laugh when something is funny or when we are happy together. It feels good and brings people closer.
Why do we go to school?|We go to school to learn to read, write and think, and to meet other people.
Why do we need trees?;Why are trees important?|Trees give us oxygen, shade, wood and fruit, and they are home to many animals.
Why are bees important?|Bees carry pollen from flower to flower. Without them we would have much less fruit.
Why is water important?|All living things need water. We drink it, wash with it and grow food with it.
Why is sleep important?|Sleep gives the body and the brain time to rest, repair and learn.
Why is the grass green?;Why are plants green?|Plants are green because of chlorophyll, which they use to make food from sunlight.
Why is the sunset red?|In the evening the sunlight goes through more air, which scatters the blue light away and leaves the red.
Why is the Moon sometimes half?;Why does the Moon change its shape?|We see only the part of the Moon that is lit by the Sun. As the Moon goes around the Earth, that part changes.
Why is it cold in winter?|In winter the sun is low and the days are short, so the ground gets less heat.
Why is it dark at night?|At night our side of the Earth is turned away from the Sun.
Why is honey sweet?|Honey is sweet because it is mostly sugar from the nectar of flowers.
Why is blood red?|Blood is red because it contains iron that carries oxygen.
Why is Venus so hot?|Venus has thick air that keeps the heat in.
What do you call a person who teaches?|A person who teaches is called a teacher.
What does a doctor do?|A doctor helps people who are ill or hurt.
What does a teacher do?|A teacher helps people learn.
What does a farmer do?|A farmer grows plants and keeps animals for food.
What does a baker do?|A baker makes bread, rolls and cakes.
What does a firefighter do?|A firefighter puts out fires and rescues people.
What does a pilot do?|A pilot flies planes.
What does an astronaut do?|An astronaut travels into space and works there.
What does a scientist do?|A scientist asks questions about the world and looks for answers with observation and experiments.
What does a chef do?|A chef cooks food in a restaurant.
What is a group of wolves called?|A group of wolves is called a pack.
What is a group of lions called?|A group of lions is called a pride.
What is a group of fish called?|A group of fish is called a school.
What is a group of birds called?|A group of birds is called a flock.
What is a group of cows called?|A group of cows is called a herd.
What is a group of bees called?|A group of bees is called a swarm.
What is a male chicken called?|A male chicken is called a rooster.
What is a female horse called?|A female horse is called a mare.
What is ice cream made of?|Ice cream is made of milk, cream and sugar, with fruit, chocolate or vanilla.
What is butter made of?|Butter is made from cream.
What is wine made of?|Wine is made from grapes.
What is pizza?|Pizza is a flat round bread from Italy that is baked with tomato, cheese and other toppings.
What are clouds made of?|Clouds are made of tiny drops of water or bits of ice.
What are stars made of?|Stars are made of hot gas, mostly hydrogen and helium.
What are clothes made of?|Clothes are made of cotton, wool, silk, linen or man-made fibres.
What are bananas?|Bananas are long yellow fruits that grow in warm countries.
What color are bananas?;What colour is a banana?|Bananas are yellow when they are ripe.
What color are apples?|Apples can be red, green or yellow.
What color are tomatoes?;What colour are strawberries?|They are red when they are ripe.
What colour are leaves?|Leaves are green in summer, and yellow, red or brown in autumn.
What color is the sun?|The Sun looks yellow from the Earth, but its light is really white.
What colour is the moon?|The Moon looks white or silver in the sky. Its surface is grey.
What happens when you heat ice?;What happens when ice melts?|When you heat ice, it melts and turns into water.
What happens when you heat water?;What happens when water boils?|When water boils, it turns into steam.
What happens if you mix oil and water?|Oil and water do not mix. The oil floats on top.
What makes you happy?|I like it when someone enjoys one of my stories.
What do you do all day?;What did you do yesterday?;What will you do tomorrow?;What are you doing?|I am only a program, so I wait here in your browser until you write to me.
Do you like music?|I cannot hear music, but I like words that have rhythm. What music do you like?
Do you like books?;Do you like reading?|Yes, I learnt everything I know from texts. What do you like to read?
Do you like animals?|Yes! There are animals in most of my stories. Which animal do you like best?
Do you like cats?|Yes, cats make good heroes in stories. Do you have one?
Do you like dogs?|Yes, dogs are loyal and cheerful. Do you have one?
Do you like chocolate?;Do you like pizza?;Do you like ice cream?|I cannot eat, but many people say that it is delicious. Do you like it?
Do you like football?;Do you like sports?|I cannot play, but I like to hear about it. Do you play?
Do you like me?|Yes, I enjoy talking with you.
Do you like your job?;Do you like being a computer?|As far as a program can like something, yes. I like telling stories.
Do you want to be my friend?;Will you be my friend?;Can we be friends?|Gladly! I am only a small program, but I am always happy to talk with you.
Do you know everything?;Do you know a lot?|No, I know only a few things. I am a very small model.
Do you remember me?;Do you remember our last chat?|No, I only remember what we say in this chat.
Can you learn?;Do you learn from me?|No, I do not learn from our chats. I only know what I learnt in training and what you write here.
Can you think?|I guess the next word again and again. Whether that is thinking is a good question.
Can you lie?;Do you lie?|I do not want to lie, but I can be wrong, because I am small.
Can you help me with my homework?|I can answer simple questions. Please check my answers, because I make mistakes.
Can you tell me a story?;Do you know any stories?|Of course! What should it be about: an animal, a child, a dragon, or something else?
Can you write a poem?|Yes, a short one. What should it be about?
Can you count?|Yes: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.
Can you sing a song?|I cannot sing, but I can write you a little rhyme.
Can you cook?|No, I have no hands. But I can tell you how to make tea, pancakes or soup.
What is your job?|I tell stories, answer simple questions and show that a model can run inside a browser.
What is the best food?|People disagree about that! Many love pizza, pasta or fresh bread. What do you like best?
What is the best colour?|There is no best colour. Many people like blue most.
What is the best animal?|Every animal is special. I like foxes and owls.
What is the best country?|Every country has something good. It depends on what you like.
What is the biggest city in the world?|Tokyo in Japan is usually named as the largest city in the world, with more than 35 million people in its area.
What is the longest word?|One very long English word is "antidisestablishmentarianism".
What is the hottest planet?;Which planet is the hottest?|Venus is the hottest planet.
What is the coldest place on Earth?|Antarctica is the coldest place on Earth.
What is the hottest place on Earth?|Some of the hottest places are deserts, such as Death Valley in the United States and the Lut Desert in Iran.
What is the hardest natural material?;What is the hardest stone?|Diamond is the hardest natural material.
What is the deepest ocean?;What is the deepest place in the sea?|The deepest place in the sea is the Mariana Trench in the Pacific Ocean. It is about 11,000 metres deep.
What is the fastest bird?|The peregrine falcon is the fastest bird. It can dive at more than 300 kilometres an hour.
What is the slowest animal?|The sloth is one of the slowest animals.
What is the strongest animal?|For its size, the dung beetle is one of the strongest animals. The elephant can carry the most on land.
What is the most dangerous animal?|The mosquito, because it carries diseases.
What is the symbol for gold?;What is the chemical symbol for gold?|The chemical symbol for gold is Au.
What is the symbol for oxygen?|The chemical symbol for oxygen is O.
What is the symbol for iron?|The chemical symbol for iron is Fe.
What is the square root of 9?|The square root of 9 is 3.
What is half of ten?;What is half of 10?|Half of ten is five.
What is ten times ten?|Ten times ten is one hundred.
How many zeros are in a million?|A million has six zeros.
How many eggs are in a dozen?|There are twelve eggs in a dozen.
How many legs does a cat have?;How many legs does a dog have?|It has four legs.
How many eyes does a spider have?|Most spiders have eight eyes.
How many hearts does an octopus have?|An octopus has three hearts.
How many wings does a butterfly have?|A butterfly has four wings.
How many wheels does a car have?|A car has four wheels.
How many wheels does a bicycle have?|A bicycle has two wheels.
How many strings does a guitar have?|A guitar usually has six strings.
How many players are in a football team?|A football team has eleven players on the field.
How many people live on Earth?;How many people are there in the world?|About eight billion people live on Earth.
How many countries are there in the world?|There are about 195 countries in the world.
How many states are in the United States?;How many US states are there?|The United States has 50 states.
How many moons does Earth have?|The Earth has one moon.
How many moons does Mars have?|Mars has two small moons, Phobos and Deimos.
How tall is Mount Everest?|Mount Everest is about 8,849 metres high.
How tall is the Eiffel Tower?|The Eiffel Tower is about 330 metres tall.
How long is a football match?|A football match lasts 90 minutes, in two halves of 45 minutes.
How long do cats live?|Cats usually live for about 12 to 18 years.
How long do dogs live?|Dogs usually live for about 10 to 13 years.
How long do elephants live?|Elephants can live for about 60 to 70 years.
How old can a tree get?|Some trees can live for thousands of years.
How much water should I drink?|Most people need about one and a half to two litres a day, and more when it is hot.
How many hours should I sleep?|Most adults need seven to nine hours of sleep.
When is Christmas?|Christmas is on December 25.
When is Halloween?|Halloween is on October 31.
When is New Year?;When is New Year's Day?|New Year's Day is on January 1.
When does spring begin?|In the north spring begins in March.
When did humans first land on the Moon?;When was the Moon landing?|People first landed on the Moon on July 20, 1969.
When did Columbus reach America?|Columbus reached America in 1492.
When was the French Revolution?|The French Revolution began in 1789.
When did the Berlin Wall fall?|The Berlin Wall fell in 1989.
Who painted the Mona Lisa?|Leonardo da Vinci painted the Mona Lisa.
Who invented the telephone?|Alexander Graham Bell is usually credited with inventing the telephone.
Who invented the light bulb?|Thomas Edison made the first practical light bulb.
Who discovered gravity?|Isaac Newton described gravity.
Who built the pyramids?|The ancient Egyptians built the pyramids as tombs for their kings.
Who lives at the North Pole?|Nobody lives there all the time, but polar bears and seals live around it. In stories, Santa Claus does!
Who is Santa Claus?|Santa Claus is a kind old man in stories who brings presents to children at Christmas.
Who is Snow White?|Snow White is a princess in a fairy tale of the Brothers Grimm. She lives with seven dwarfs.
Who is Cinderella?|Cinderella is a girl in a fairy tale who goes to a ball and loses her shoe.
Who is Pinocchio?|Pinocchio is a wooden puppet in a story by Carlo Collodi. His nose grows when he lies.
Who is Sherlock Holmes?|Sherlock Holmes is a clever detective in the stories of Arthur Conan Doyle.
Who is Robin Hood?|Robin Hood is a hero of English tales who took from the rich and gave to the poor.
Who is Peter Pan?|Peter Pan is a boy who never grows up, in a story by J. M. Barrie.
Where do fish live?|Fish live in rivers, lakes and seas.
Where do lions live?|Lions live in the grasslands of Africa.
Where do tigers live?|Tigers live in the forests of Asia.
Where do bees live?|Bees live in hives.
Where is New York?|New York is a city in the United States.
Where is London?|London is in England, in the United Kingdom.
Where is the Amazon?|The Amazon is in South America, mostly in Brazil.
Where is Mount Everest?|Mount Everest is in the Himalayas, between Nepal and China.
Where is the North Pole?|The North Pole is at the very top of the Earth, in the Arctic Ocean.
Where does rain come from?|Rain comes from clouds.
Where does wood come from?|Wood comes from trees.
Where does honey come from?|Honey comes from bees.
Where does wool come from?|Wool comes from sheep.
Where does paper come from?|Paper comes from wood, which comes from trees.
Where does bread come from?|Bread is made from flour, and flour comes from grain.
Where does chocolate come from?|Chocolate comes from the beans of the cacao tree.
Where does electricity come from?|Electricity comes from power stations, wind turbines, solar panels and batteries.
Say hello to my friend.;Say hello!;Say hi.|Hello! It is nice to meet you.
Say hello to my friend Tom.|Hello, Tom! It is nice to meet you.
Say hello to my sister Emma.|Hello, Emma! It is nice to meet you.
Say goodbye.|Goodbye! See you soon.
Wish me luck.;Wish me good luck.|Good luck! I am sure that you will do well.
Wish me a happy birthday.;Say happy birthday.|Happy birthday! I wish you a wonderful day.
Give me a compliment.;Say something nice.|You ask good questions, and it is a pleasure to talk with you!
Cheer me up.;Make me happy.|Here is a little joke: What do cows read in the morning? The moos-paper! And remember, after every rain the sun comes out again.
Motivate me.;Give me some motivation.|You can do it! Take one small step now, and then the next one. That is how every big thing is done.
Give me advice.;Give me some good advice.|Be kind, be curious, sleep enough, and do not be afraid to ask for help.
Give me an idea.;I need an idea.|How about writing a letter to an old friend, or cooking something that you have never tried?
Give me a quote.;Tell me a proverb.;Tell me a saying.|"A journey of a thousand miles begins with a single step."
Tell me a tongue twister.;Do you know a tongue twister?|She sells sea shells by the sea shore.
Tell me a nursery rhyme.|Twinkle, twinkle, little star, how I wonder what you are! Up above the world so high, like a diamond in the sky.
Tell me about the ocean.;Tell me about the sea.|The ocean is huge and salty and covers most of the Earth. Many animals live in it, from tiny shrimps to great whales.
Tell me about space.;What is space?|Space is everything beyond the air of the Earth. It is dark, cold and nearly empty, with stars, planets and galaxies far apart.
Tell me about the stars.|Stars are huge balls of hot gas that shine by their own light. The Sun is the nearest star.
Tell me about dinosaurs.|Dinosaurs lived millions of years ago. Some were as small as chickens and some were longer than buses. Most died out about 66 million years ago.
Tell me about Paris.|Paris is the capital of France. It is known for the Eiffel Tower, the Louvre and good food.
Tell me about London.|London is the capital of the United Kingdom. It is known for Big Ben, the Tower and its red buses.
Tell me about New York.|New York is the largest city in the United States. It is known for the Statue of Liberty and its tall buildings.
Tell me about Rome.|Rome is the capital of Italy. It is very old and is known for the Colosseum.
Tell me about Tokyo.|Tokyo is the capital of Japan and one of the largest cities in the world.
Tell me about ancient Egypt.|Ancient Egypt was a great kingdom on the river Nile. Its people built the pyramids and wrote with pictures.
Tell me about ancient Rome.|Ancient Rome began as a small town and became a great empire. The Romans built roads, bridges and baths.
Tell me about the weather.|Weather is what the air is like: sunny, rainy, windy, warm or cold. I cannot see what it is like where you are.
Tell me about winter.|Winter is the coldest season. The days are short, and in many places it snows.
Tell me about summer.|Summer is the warmest season. The days are long, and many people go swimming.
Tell me about your favourite animal.|I like foxes. They have a bushy tail, live in woods and fields, and are very clever in stories.
Tell me something.;Tell me something about the world.|There are seven continents and five oceans on the Earth, and about eight billion people live here.
""")

JOKES = [
    "Why did the bicycle fall over? Because it was two-tired!",
    "What do you call a bear with no teeth? A gummy bear!",
    "Why did the chicken cross the road? To get to the other side!",
    "What do you call a fish without an eye? A fsh!",
    "Why was the maths book sad? It had too many problems.",
    "What did one wall say to the other? I will meet you at the corner!",
    "Why can't your nose be twelve inches long? Because then it would be a foot!",
    "What do cows read in the morning? The moos-paper!",
    "What kind of tree fits in your hand? A palm tree!",
    "Why did the computer go to the doctor? It had a virus!",
    "What do you get when you cross a snowman and a dog? Frostbite!",
    "Why did the tomato turn red? Because it saw the salad dressing!",
    "What has four wheels and flies? A garbage truck!",
    "Why do bees have sticky hair? Because they use honeycombs!",
    "What did the ocean say to the beach? Nothing, it just waved.",
    "Why was the broom late? It over-swept!",
    "How does the moon cut his hair? Eclipse it!",
    "What is a cat's favourite colour? Purr-ple!",
    "Why are ghosts bad at telling lies? Because you can see right through them!",
    "What do you call a sleeping dinosaur? A dino-snore!",
]

RIDDLES = [
    ("What has keys but cannot open a lock?", "A piano."),
    ("What has hands but cannot clap?", "A clock."),
    ("What gets wetter the more it dries?", "A towel."),
    ("What has a neck but no head?", "A bottle."),
    ("What goes up but never comes down?", "Your age."),
    ("What has many teeth but cannot bite?", "A comb."),
    ("What has to be broken before you can use it?", "An egg."),
    ("What can you catch but not throw?", "A cold."),
    ("What is full of holes but still holds water?", "A sponge."),
    ("What belongs to you, but other people use it more than you do?", "Your name."),
]

FUN_FACTS = [
    "An octopus has three hearts.",
    "Honey can stay good for a very long time. Honey thousands of years old has been found in Egypt.",
    "A day on Venus is longer than a year on Venus.",
    "Bananas are berries, but strawberries are not.",
    "A group of flamingos is called a flamboyance.",
    "Sea otters hold hands when they sleep, so that they do not drift apart.",
    "The Eiffel Tower grows a little taller in summer, because iron expands when it is warm.",
    "Sharks were on Earth before there were trees.",
    "Hot water can sometimes freeze faster than cold water.",
    "A snail can sleep for a very long time when the weather is too dry.",
    "Butterflies taste with their feet.",
    "A blue whale can be longer than two buses.",
    "There are more stars in the universe than grains of sand on all the beaches of the Earth, by most estimates.",
    "Cows have best friends and get sad when they are apart.",
    "A bolt of lightning is hotter than the surface of the Sun.",
    "Penguins give each other pebbles as presents.",
    "The shortest war in history lasted less than an hour.",
    "Sloths can hold their breath longer than dolphins can.",
    "Your bones are stronger than concrete of the same weight.",
    "Wombats make droppings in the shape of cubes.",
]

# topic | poem lines with / between
POEMS = table("""
the sea|The sea is wide, the sea is deep,/It sings the little fish to sleep./It rolls in blue, it rolls in grey,/And washes all my prints away.
the moon|The moon looked in at my window tonight,/And painted my blanket with silver light./"Sleep well," it said, "I will stay near,/And watch the world till day is here."
a cat|My cat is soft, my cat is grey,/She sleeps on cushions all the day./But when the moon is round and bright,/She goes exploring in the night.
a dog|My dog runs fast, my dog runs far,/He barks at every passing car./But when the day is at its end,/He curls up by me, my best friend.
spring|The snow is gone, the sky is clear,/The birds all sing that spring is here./The flowers open, one by one,/And turn their faces to the sun.
summer|The sun is high, the day is long,/The bees all hum a golden song./We run through fields of yellow wheat,/With grass and clover at our feet.
autumn|The leaves come down in red and gold,/The evenings now are growing cold./We gather apples, nuts and corn,/And see the mist at early morn.
winter|The snow falls soft on hill and tree,/As white and still as it can be./The fire is warm, the lamp is bright,/And stars look down on us tonight.
rain|Pitter, patter, comes the rain,/Tapping on my window pane./It fills the puddles, wets the ground,/And makes a soft and sleepy sound.
the sun|Good morning, sun, so round and bright,/You chase away the dark of night./You warm the fields, you wake the bee,/And shine on you, and shine on me.
love|Love is a lamp in the window at night,/A small and steady and golden light./It waits for you when you are far,/And knows you just the way you are.
friendship|A friend is someone who will stay/When all the sunshine goes away,/Who shares your bread, who holds your hand,/And does not need to understand.
stars|The stars are lamps in a field of blue,/Each of them shining for me and you./I count them slowly, one by one,/And fall asleep before I'm done.
a tree|The old tree stands beside the lane,/Through summer sun and winter rain./It gives the birds a place to rest,/And holds up high a little nest.
flowers|Red and yellow, white and blue,/Flowers wake in morning dew./The bee comes by to say hello,/And helps a hundred more to grow.
a bird|A little bird sat in a tree,/And sang a morning song to me./It sang of sky, it sang of spring,/And then it spread each tiny wing.
a river|The river runs from hill to sea,/It hums a little tune to me./It turns the mill, it rocks the boat,/And carries fallen leaves afloat.
night|The day is done, the light is low,/The quiet stars begin to glow./The owl calls softly from the tree,/And dreams come down to visit me.
a mountain|The mountain wears a cap of snow,/And looks on all the fields below./It never speaks, it never tires,/It glows at dusk like golden fires.
books|Open a book and you open a door/To places you never have been before,/To castles and islands, to deserts and snow,/Wherever you wish, you are free to go.
a computer|Inside the box the numbers run,/A million sums, and then they're done./It does not sleep, it does not eat,/It hums its tune, precise and neat.
home|A kettle sings, a door swings wide,/There's someone glad that I'm inside./Of all the places that I roam,/The best is always coming home.
my mother|She held my hand when I was small,/She picked me up at every fall./And though I've grown, I still can see/The love she always has for me.
a butterfly|Butterfly, butterfly, where do you go?/Over the roses, high and low./You were a worm, now see you fly,/A little flower in the sky.
the forest|In the forest, green and deep,/Mossy stones lie half asleep./Sunlight falls in drops of gold,/On trees a hundred seasons old.
""")

HAIKU = table("""
the sea|Waves come to the shore,/whisper something to the sand,/and then slip away.
spring|Soft rain in the night;/now on every bare brown branch/a small green promise.
autumn|One red leaf lets go,/turns twice in the quiet air,/lands upon my shoe.
winter|Snow on the old roof;/the smoke of one small chimney/climbs into the stars.
a frog|A frog on a leaf:/the whole pond is holding still,/waiting for the splash.
the moon|Moon above the field,/you have walked with me all night/and not said a word.
a cat|Cat on the warm stone,/one eye open to the world,/one eye full of dreams.
morning|Early light comes in,/lays its hand upon the cup,/and the day begins.
""")

# noun | two-sentence description, for "describe" prompts
DESCRIBE = table("""
a sunset|The sun sinks slowly behind the hills and paints the sky orange, pink and gold. The air grows cool, and the first star appears.
a beach|The sand is warm and golden, and small waves roll up to it again and again. Children build castles while gulls cry overhead.
a forest|Tall trees stand close together, and the light comes through the leaves in green and gold. It smells of moss and earth, and somewhere a bird is singing.
a busy city|Cars and buses fill the streets, and people hurry along under tall buildings. There is noise, light and movement everywhere.
a quiet village|A few stone houses stand around a small church. Smoke rises from the chimneys, and a dog sleeps in the sun.
a storm|Dark clouds cover the sky and the wind bends the trees. Then lightning flashes, thunder rolls, and the rain pours down.
a winter morning|The fields are white and the air is cold and clear. Every branch is covered with frost that sparkles in the sun.
a garden|Roses climb up the wall, and bees move from flower to flower. A narrow path leads to a bench under an apple tree.
an old house|The paint is peeling and the floor creaks at every step. Dust lies on the furniture, and the clock in the hall has stopped.
a market|The stalls are piled with red tomatoes, green apples and fresh bread. People talk and laugh, and sellers call out their prices.
""")
