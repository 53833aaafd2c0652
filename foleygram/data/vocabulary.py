"""Words beyond the captions: what else is made of each material, and how else people ask for its sound.

The captions of MiniHits name a material in a few nouns (captions.py). Those who type a prompt name objects: a wardrobe, a
gong. The vocabulary stage (training/vocabulary.py) teaches the text side that such words mean the materials it knows. No word
that names a material in a prompt of the benchmark (``foleygram.evaluation.prompts``) stands in here, nor one of those that the
stage is validated on, ``UNHEARD``.
"""

from __future__ import annotations

import re

import numpy as np

from foleygram.data.captions import NOUNS, paraphrases

_OBJECTS = {
    "wood": """
        teak; spruce; ash wood; elm; beech; cherry wood; ebony; fir; larch; poplar; alder; cork; balsa; rosewood; willow;
        hickory; redwood; olive wood; hardwood; softwood; fibreboard; MDF; chipboard; veneer; laminate; hazel; chestnut;
        wicker; rattan; a shelf; a cupboard; a guitar; a violin; rafters; a branch; a wooden ladder; a chopping board;
        furniture; a bookcase; a stool; a drawer; a chest of drawers; a nightstand; a dining table; a workbench; a banister;
        a handrail; shutters; a window sill; a headboard; a cradle; a canoe; a rowing boat; a mast; a wooden hull; a raft; a
        wagon; a cart; a cartwheel; a pallet; a wooden chest; a coffin; a treasure chest; a cask; a broom handle; a
        chessboard; a xylophone; a piano; a cello; a marimba; a woodblock; claves; a picture frame; an easel; a loom; a
        beam; a joist; a signpost; a log cabin; a hut; a barn; a trapdoor; a gangway; a footbridge; a deck; a veranda; a
        porch; firewood; kindling; bark; a totem; a crucifix; a clothes peg; a matchbox; a toothpick; chopsticks; a cutting
        board; a doorpost; panelling; a wainscot; a wooden leg; a crutch; a puppet; a birdhouse; a beehive; a mousetrap; a
        yoke; a spinning wheel; a pulpit; a pew; a lectern; a conference table
    """,
    "metal": """
        titanium; nickel; lead; tungsten; platinum; pewter; alloy; wrought iron; cast iron; sheet metal; corrugated iron;
        aluminium foil; tinfoil; a lead pipe; a truck; a lorry; a bus; a train; railroad tracks; a wheel rim; an oil drum; a
        chain; an anchor; an iron bar; scaffolding; a stove; an oven; a hubcap; a lamppost; wire mesh; barbed wire; chain
        link; a cable; a wire; a bicycle frame; a motorcycle; a medal; a blade; an axe; a ladle; a teaspoon; a whisk; a
        grater; a baking sheet; a saucepan; a wok; a cauldron; a cooking pot; a samovar; a soda can; a beer can; a biscuit
        tin; a watering can; a milk churn; a jerry can of metal; a girder; an I-beam; a bridge girder; a safe; a strongbox;
        a letterbox; a mailbox; a grid; a gutter; a downpipe; a tap; a faucet; a water pipe; a boiler; a heater; a furnace;
        an engine; a gearbox; a cog; a gear; a bolt; a screw; a padlock; a doorknob; a turnstile; a shopping cart; a
        shopping trolley; a wheelbarrow; a tractor; a tank; armour; a shield; a helmet of a knight; a cannon; a rifle; a
        bullet; a grenade; an airplane wing; a propeller; a robot; a machine; a crane; a dumpster; a skip; an escalator; a
        catwalk; a gantry; a metal ladder; a triangle; a cowbell; a trumpet; a saxophone; a vibraphone; a steelpan; a music
        stand; a microphone stand; a washing machine; a fridge; a toaster; a dishwasher; a weathervane; a lightning rod; a
        horseshoe; a stirrup; a buckle; a zipper; a thimble; scissors; pliers; a spanner; a vice; a drill; a saw blade
    """,
    "dirt": """
        clay soil; a dirt track; humus; silt; potting soil; sediment; turned earth; a trench; damp earth; clay; sludge;
        mire; a swampy ground; a quagmire; slime; manure; dung; a seedbed; a plot of earth; an allotment; a furrow;
        cropland; a clod; clods of earth; an anthill; a burrow; a pit; an embankment of earth; a clay court; a racetrack of
        dirt; a riding arena; a pigsty; a barnyard; a farmyard; a construction site; a dig; an excavation; a landslide; a
        riverbank of clay; a levee; an earthwork; a rampart of earth; a footpath; a woodland track; a bridleway; a cattle
        track; a wheel rut; tyre ruts; subsoil; cracked ground; parched earth; frozen ground; ochre; red earth; a tilled
        plot; loess; marl; alluvium; a planter full of soil; a rabbit hole; a foxhole; a vineyard; a rice paddy; a potato
        patch; a cabbage patch
    """,
    "rock": """
        cement; mortar; a kerb; masonry; a paving slab; paving; paving stones; a milestone; bedrock; flint; a cavern; a
        grotto; lava; pumice; a column; a monument; a fortress; a rampart; tarmac; macadam; a crag; a rock face; a mountain;
        a mountainside; a peak; a ridge of rock; a canyon; a gorge; a hearth; a fireplace; a chimney; obsidian; a plaza; a
        market square; a town square; a street; a highway; a motorway; a runway; an airfield; an alley; a lane of stone; a
        hangar; an underpass; a tunnel; a bridge of stone; an arch; a cathedral; a crypt; a temple; a pyramid; a sphinx; a
        sarcophagus; an altar; a gravestone; a headstone; a mausoleum; an obelisk; a gargoyle; a bust; a sculpture; a
        millstone; a whetstone; a grindstone; a mortar and pestle; bricks; brickwork; plaster; terrazzo; travertine;
        soapstone; jade; gneiss; schist; dolomite; gypsum; alabaster; agate; an ore; coal; a lump of coal; a meteorite; a
        fossil; a stalactite; a reef; a breakwater; a jetty of stone; a quay; a seawall; a well of stone; a doorstep; a
        threshold of stone; a terrace; a patio; a stone bridge; a stele; a megalith; a dolmen
    """,
    "leaf": """
        a twig with foliage; a houseplant; a vine; petals; conifer needles; a potted plant; a nettle; nettles; herbs; dead
        foliage; mulch; a rose bush; a rosebush; a shrubbery; a privet; boxwood; holly; a thorn bush; gorse; a briar; a
        bramble patch; a raspberry bush; a berry bush; an azalea; a hydrangea; a lilac; jasmine; a creeper; wisteria; kudzu;
        a hop vine; a grapevine; a bean plant; a tomato plant; a tobacco plant; a cabbage; spinach; kale; chard; basil;
        mint; parsley; a bouquet; a garland; a sunflower; a tulip; a dandelion; a thistle; a plant; plants; vegetation; a
        rainforest; a canopy; branches with foliage; boughs; a bough; a sapling; a seedling; a shoot; a sprig; a bracken;
        bracken; a eucalyptus; a cypress; a juniper; a yew; a topiary; a maze of bushes; bushes; a bushy plant; underbrush;
        scrub; brushwood; a copse; a grove; withered foliage; crisp foliage; an aloe; a cactus; a lily pad; seaweed; kelp;
        husks; chaff; confetti of petals; a tea plant; a monstera; a ficus; an orchid
    """,
    "plastic": """
        polycarbonate; polypropylene; polyester board; polymer; resin; fibreglass; epoxy; perspex; plexiglass; bakelite;
        celluloid; silicone; latex; teflon; melamine; a plastic bag; a lunch box; a trash can; a laundry basket; a washing
        basket; lino; a lighter; a ruler; a set square; a ballpoint pen; a marker; a highlighter; a felt pen; a shampoo
        bottle; a detergent bottle; a ketchup bottle; a water bottle; a soda bottle; a squeeze bottle; a spray bottle; a
        telephone; a smartphone; a remote control; a game controller; a joystick; a laptop; a printer; a calculator; a
        radio; a cassette; a video cassette; a DVD; a record; a floppy disk; a power socket; a plug; an extension lead; a
        bicycle helmet; a hard hat; a frisbee; a hula hoop; a skateboard wheel; a surfboard; a kayak; a sled; a toothbrush;
        a hairbrush; a razor; a jerrycan; a yoghurt pot; a margarine pot; a food box; a cool box; a thermos; a pill box; a
        pill bottle; a lipstick; a bottle cap; a jar lid; cling film; a tarpaulin; a raincoat; packing foam; foam; a foam
        board; a sponge; a dashboard; a bumper; a taillight; a mudguard; a drainpipe; a water pistol; an action figure; a
        domino; a dice; a button; a zip tie; a cable tie; a folder; a binder; a clipboard; sunglasses; goggles; a visor; a
        suitcase; a tool box
    """,
    "cloth": """
        a quilt; silk; a duvet; felt; a scarf; an armchair; upholstery; bedding; a tablecloth; a backpack; a rucksack; a
        sports bag; a handbag; a purse; a sock; stockings; tights; a bean bag; a sandbag; a pouch; corduroy; satin; chiffon;
        lace; tulle; muslin; gauze; flannel; tweed; mohair; polyester; lycra; spandex; microfibre; viscose; hemp fabric;
        hessian; burlap; jute; a sack; a hat; a cap; a beret; a bonnet; gloves; a mitten; a sleeping bag; trousers; pants;
        shorts; leggings; a skirt; a dress; a gown; a robe; a cloak; a cape; a veil; a kimono; a sari; a blouse; a pullover;
        a hoodie; a cardigan; a vest; a waistcoat; a suit; a uniform; a tie; a bow tie; an apron; an overall; underwear;
        pyjamas; a nightgown; a bathrobe; fleece; fur; leather; suede; sheepskin; a saddle blanket; a doormat; a yoga mat; a
        prayer mat; carpeting; a banner; a flag; a sail; a hammock; an awning; a parachute; a kite; drapes; a blind of
        fabric; a lampshade; a couch; a settee; a recliner; a footstool; an ottoman; a pouf; a bolster; a bedspread; a
        coverlet; an eiderdown; a shawl; a poncho; a bandana; a handkerchief; a hankie; a washcloth; a flannel; a dishcloth;
        a tea cloth; a duster; a rag; a mop head; a bandage; a sling; a diaper; wadding; yarn; knitwear; needlework;
        embroidery; patchwork; a costume; laundry; clothes; clothing; a garment
    """,
    "paper": """
        a cereal box; an exercise book; a map; a pamphlet; a paperback; a hardback; a novel; a textbook; a dictionary; a
        Bible; a ledger; a logbook; a journal; a scrapbook; a photo album; a sketchbook; a sketch pad; a notepad; a writing
        pad; sticky notes; a memo; a calendar; kraft paper; brown paper; wrapping paper; a shoe box; a parcel; a package; a
        packet; tracing paper; baking paper; greaseproof paper; rice paper; papyrus; vellum; cardstock; construction paper;
        crepe paper; blotting paper; graph paper; sandpaper; photo paper; a photograph; a print; a blueprint; a drawing; a
        sketch; a menu; a ticket; a voucher; a coupon; a stub; corrugated board; pasteboard; an invitation; a comic;
        banknotes; dollar bills; a cheque; an invoice; a bill; a contract; a form; a passport; a certificate; a diploma; a
        paper plate; a paper lantern; a paper hat; a paper plane; an encyclopedia; a file; an archive; a ream; a page; a
        leaflet; a flyer; a handout; a manuscript; a script; sheet music; a score; a catalogue; a gazette; a tabloid; a
        weekly; a broadsheet; an issue of a periodical; origami; a scroll; a label; a sticker; a price tag; a bookmark; an
        atlas; a booklet; an egg box; a milk box; a juice box; a takeaway box; a tea bag; shredded paper; papier-mache; a
        paper screen; a kite of paper
    """,
    "grass": """
        a sports ground; mown grass; dewy grass; a cornfield; corn; maize; millet; rice plants; oats; rye; sedge; rushes; a
        bulrush; cattails; a putting green; a steppe; a cricket ground; a tennis lawn; a croquet lawn; heather; moss; a
        verge; a roadside verge; a grassy hill; a hillside; a grassland; pampas; tundra; a heath; a moor; a stadium; a
        village green; a green; a common; a picnic area; a churchyard lawn; a campsite; an alpine meadow; a clearing; a
        glade; a dyke; sod; artificial turf; astroturf; a sward; cut grass; grass clippings; silage; fodder; a haystack; a
        hayfield; thatch; stubble; a sheaf; sheaves; stalks; pampas grass; alfalfa; a daisy meadow; wildflowers in a meadow;
        herbage; a racecourse; a tussock; a tuft; a grass skirt; a broom of stems; raffia; a grass mat
    """,
    "water": """
        a stream; a bay; the tide; waves; a wave; a swamp; a lagoon; a waterfall; a cascade; a water tank; a marsh; a
        wetland; a reservoir; a hot spring; a geyser; rapids; whitewater; a torrent; liquid; fluid; a moat; a harbour; a
        marina; an estuary; a delta; a fjord; a strait; a gulf; floodwater; rainwater; a drain; a sewer; a ditch full of
        water; a trough; a jacuzzi; a whirlpool; a diving pool; a glass of water; a mill pond; a fish pond; a duck pond; a
        koi pond; a water hole; an oasis; tidal pools; a tide pool; a shallow ford; a ford; a weir; a lock; a millstream; a
        tributary; a rivulet; a rill; a riverbed; a lakeside; lakewater; seawater; salt water; fresh water; brine;
        dishwater; suds; foam on water; a water surface; ripples; droplets; spray; a jet of water; a sprinkler; a baptismal
        font; a well; a cistern; mangroves in water
    """,
    "gravel": """
        a sandpit; a sandbox; a gravel drive; quicksand; sandy ground; a desert; a railbed; loose stones; loose rocks;
        little rocks; tiny rocks; granules; grains; an unpaved path; a sandy path; a sandy shore; a shore; a stony shore; a
        seashore; a coast; a strand; a cove; a sandcastle; aggregate; a sandbank; a sandbar; debris; a debris slope; a
        moraine; talus; a riverbed of stones; a stony riverbed; round stones; polished stones; small rocks; stony ground; a
        stony path; seashells; lava grit; volcanic ash; clinker; slag; coal bits; broken stones; a gravel pit; a gravel
        yard; a cemetery path; coarse salt; rice grains; lentils; corn kernels; beads; crunchy ground; crunchy snow; loose
        ground
    """,
    "ceramic": """
        a china plate; a soup plate; a dessert plate; faience; majolica; delftware; raku; stone china; bisque; clayware; a
        beer stein; a tankard of clay; a ceramic pot; a cooking pot of clay; a casserole; a ramekin; a platter; a sugar pot;
        a gravy boat; a milk pitcher; a cream pitcher; a tureen; an urn; a funeral urn; a pottery jar; a cookie jar; a spice
        jar; a ginger jar; a glazed tile; a glazed pot; a ceramic figurine; a figurine; a money box; crockery; tableware; a
        tea set; an amphora; a Greek jar; an ancient pot; shards of pottery; a potsherd; a tiled stove; a tiled pool;
        enamel; a clay pipe; an ocarina; a clay tablet; an ashtray; a pitcher; a ewer; a carafe of clay; bone china; a
        candle holder of clay; an oil burner; an incense burner; a planter; a plant pot; a bonsai pot; an insulator; a spark
        plug; a urinal; a bidet; a washstand; a kiln shelf; a crucible; a brick of fireclay; a chamber pot; a honey pot; a
        mustard pot; a pepper pot
    """,
    "glass": """
        a windowpane; window glass; double glazing; a tumbler; a beer bottle; a milk bottle; a perfume bottle; a whisky
        bottle; a liquor bottle; a vodka bottle; a flask; a flacon; a vial; an ampoule; a phial; a glass table; a shard;
        shards; splinters of a pane; a pint glass; a beer glass; a cocktail glass; a shot glass; a whisky glass; a sherry
        glass; a martini glass; a highball; a brandy snifter; a stem glass; a carafe; a microscope slide; a retort; an
        Erlenmeyer; a pipette; a drinking glass; a conservatory; a glasshouse; a showcase; a vitrine; a monitor screen; a
        television screen; a tablet screen; a touchscreen; a watch face; a clock face; a jam jar; a mason jar; a pickle jar;
        a preserving jar; a honey jar; a sweet jar; a fishbowl; a fish tank; a terrarium; a snow globe; a paperweight; an
        hourglass; a beaker; a lantern pane; an oil lamp chimney; a skylight; a dormer window; a porthole; a rear window; a
        bus window; a train window; a cockpit canopy; a bus shelter; French windows; stained glass; frosted glass; safety
        glass; tempered glass; plate glass; a pane; glass beads; a glass eye; a thermometer; a barometer; a magnifying
        glass; a telescope; binoculars; eyeglasses; a monocle; a prism; a fibre optic; a looking-glass; a dressing table top
        of glass; a picture pane; a glass ornament; a Christmas bauble; a cake stand of glass; an ashtray of glass; a candle
        jar
    """,
}

OBJECTS = {material: tuple(" ".join(name.split()) for name in names.split(";")) for material, names in _OBJECTS.items()}
"""Of each material, with article where one says one: things that everybody takes to be of it."""

UNHEARD: dict[str, tuple[str, ...]] = {
    "wood": (
        "knocking on a cedar gate",
        "rapping the bamboo pole",
        "tapping a mahogany desk",
        "hammering plywood",
        "thumping a barrel",
        "scraping a birch bench",
        "a rasp on driftwood",
        "sneakers on the stage planks",
        "walking along the pier",
        "climbing the attic stairs",
    ),
    "metal": (
        "striking a bronze gong",
        "hitting a zinc bucket",
        "tapping a silver tray",
        "clattering cutlery",
        "banging the radiator",
        "a key drags along a railing",
        "a wrench scrapes chrome",
        "boots on a fire escape",
        "hitting a cymbal",
    ),
    "dirt": (
        "stamping into peat",
        "slapping farmland with a spade",
        "ploughing the acre",
        "scraping a dusty road",
        "hiking over farmland",
        "trudging through a bog",
        "a hoe cuts into topsoil",
    ),
    "rock": (
        "a pick on sandstone",
        "striking basalt",
        "hitting a tombstone",
        "dragging a chair over limestone",
        "walking on the sidewalk",
        "strolling across flagstones",
        "rubbing quartz",
    ),
    "leaf": (
        "slapping an ivy wall",
        "hitting a fern",
        "brushing through ivy",
        "rummaging in a thicket",
        "walking through the undergrowth",
        "rustling brambles",
        "shaking a treetop",
    ),
    "plastic": (
        "tapping a polystyrene cup",
        "hitting a polyethylene canister",
        "knocking on a toy brick",
        "rubbing a styrofoam block",
        "scratching a CD case",
        "tapping a computer keyboard",
        "rattling a bucket of toys",
    ),
    "cloth": (
        "beating a rug",
        "slapping a cotton shirt",
        "hitting a canvas tent",
        "rubbing a velvet curtain",
        "stroking a linen napkin",
        "wiping with a towel",
        "patting a coat",
    ),
    "paper": (
        "tapping a poster",
        "slapping a brochure",
        "rubbing a napkin of tissue",
        "unfolding a letter",
        "scratching wallpaper",
        "crumpling a receipt",
        "flipping through a diary",
    ),
    "grass": (
        "hitting clover",
        "mowing weeds",
        "scything the prairie",
        "rustling through barley",
        "walking on a golf course",
        "running across the savanna",
        "strolling in the park",
    ),
    "water": (
        "slapping the river",
        "splashing in the ocean",
        "hitting the swimming bath",
        "stirring a fountain",
        "wading through a creek",
        "walking in the surf",
        "stepping into a flooded cellar",
    ),
    "gravel": (
        "tapping rubble",
        "hitting ballast",
        "raking the driveway",
        "dragging a rake through cinders",
        "walking over the dunes",
        "steps on crushed shells",
        "treading on scree",
    ),
    "ceramic": (
        "tapping a stoneware jug",
        "hitting a saucer",
        "knocking on a teapot",
        "striking a flowerpot",
        "scraping earthenware",
        "rubbing a bathroom basin",
        "a fork grates over a dinner dish",
    ),
    "glass": (
        "tapping a wineglass",
        "striking a light bulb",
        "knocking on the aquarium",
        "tinkling champagne flutes",
        "wiping spectacles",
        "squeaking on a shop front",
        "scratching a lens",
    ),
}
"""Prompts in words that neither the captions nor ``OBJECTS`` hold, by material: what the stage is validated on."""

VERBS = {
    "hit": (
        "hits", "taps on", "strikes", "knocks on", "beats", "raps on", "bangs on", "slaps", "pats", "thumps", "bumps into",
        "drums on", "smashes", "pounds", "punches", "whacks", "hammers on", "kicks", "drops onto", "thuds into", "lands on",
    ),
    "scratch": (
        "scratches", "scrapes", "rubs", "grates on", "strokes", "brushes over", "drags over", "wipes", "polishes",
        "sweeps over", "scrubs", "cleans", "claws at", "rummages in", "slides over", "runs along",
    ),
    "step": (
        "walks on", "steps on", "runs across", "stomps on", "treads on", "marches over", "strides over", "hikes across",
        "wanders over", "tiptoes across", "stumbles over",
    ),
}  # fmt: skip
WHO = (
    "someone", "a person", "a man", "a child", "a woman", "a worker", "a boy", "a cat", "a dog", "a girl", "the wind",
    "a machine", "a bird", "a carpenter", "a musician", "the actor",
)  # fmt: skip
TOOLS = (
    "a spatula", "a rod", "a broom", "a poker", "a racket", "a bat", "a club", "a wrench", "a screwdriver", "a pen", "a brush",
    "a ring", "a ball", "a bucket", "a bag", "an elbow", "a knee", "the palm", "a whip", "a rope", "a sword", "a trowel",
    "a pole", "a ladle", "a toy", "a coin", "a plate", "a bottle", "a book", "a box",
)  # fmt: skip
FEET = (
    "sandals", "slippers", "trainers", "wellies", "bare feet", "paws", "hooves", "flip flops", "clogs", "high heels",
    "soldiers", "guests", "children", "a horse", "a runner", "a patrol", "somebody", "a thief", "pedestrians",
)  # fmt: skip
ADJECTIVES = (
    "old", "big", "small", "heavy", "broken", "wet", "dusty", "huge", "thick", "thin", "large", "worn", "clean", "dirty",
    "hollow", "solid", "fresh", "cold",
)  # fmt: skip
PLACES = (
    "in the hall", "at night", "outside", "slowly", "twice", "in the dark", "very fast", "carefully", "in a corner",
    "during a storm", "upstairs", "nearby", "in a studio", "all day", "with care", "in anger", "by accident",
)  # fmt: skip


def request(material: str, action: str, rng: np.random.Generator, plain: float = 0.3, known: float = 0.15) -> str:
    """How somebody may ask for a sound: a thing of ``material`` and what is done to it, often who or what does it.

    ``action``: hit, scratch or step; ``plain``: share in the sentences of the captions; ``known``: share with their nouns."""
    noun = _pick(NOUNS[material] if rng.random() < known else OBJECTS[material], rng)
    if rng.random() < plain:
        count = int(rng.integers(1, 12))
        times, strengths = np.sort(rng.uniform(0, 10, count)).tolist(), rng.uniform(0.2, 1, count).tolist()
        tool = "foot" if action == "step" else _pick(("stick", "hand"), rng)
        return paraphrases(material, [action] * count, tool, times, strengths, 1, rng, nouns=(_dressed(noun, rng),))[0]
    noun, verb, tool = _dressed(noun, rng), _pick(VERBS[action], rng), _pick(TOOLS, rng)
    who = _pick(FEET if action == "step" else WHO + TOOLS, rng)
    sentences = (
        f"{who} {verb} {noun}",
        f"{_ing(verb)} {noun}",
        f"{tool} against {noun}" if action == "hit" else f"the sound of {_ing(verb)} {noun}",
        f"{_ing(verb)} {noun} {'in ' + _pick(FEET[:10], rng) if action == 'step' else 'with ' + tool}",
        noun,
    )
    sentence = sentences[int(rng.choice(len(sentences), p=(0.3, 0.3, 0.15, 0.15, 0.1)))]
    return f"{sentence} {_pick(PLACES, rng)}" if rng.random() < 0.25 else sentence


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _ing(verb: str) -> str:
    """``taps on`` -> ``tapping on``; the few verbs that double a letter, drop an e or end in a hiss do so."""
    first, *rest = verb.split(" ")
    stem = re.sub("(?<=sh|ch)es$|s$", "", first)
    if stem.endswith("e") and not stem.endswith("oe"):
        stem = stem[:-1]
    elif re.fullmatch("hit|tap|rap|pat|slap|drum|thud|step|run|drop|drag|rub|scrub", stem):
        stem += stem[-1]
    return " ".join((f"{stem}ing", *rest))


def _dressed(noun: str, rng: np.random.Generator) -> str:
    """The noun with this or that article, now and then an adjective."""
    found = re.match("(an?|the) (.*)", noun)
    article, bare = (found[1], found[2]) if found else ("", noun)
    way = rng.random()
    if article in ("a", "an") and way < 0.25:
        article = "the"
    elif way < 0.35:
        article = ""
    if rng.random() < 0.25:
        bare = f"{_pick(ADJECTIVES, rng)} {bare}"
        if article in ("a", "an"):
            article = "an" if bare[0] in "aeiou" else "a"
    return f"{article} {bare}".strip()
