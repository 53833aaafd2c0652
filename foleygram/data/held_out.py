"""The split of the public collection, frozen: what was held out once stays held out, however the collection grows.

Families of the manifest that are not named here follow the rule of :func:`foleygram.data.sounds.split_families`.
"""

TEST = {
    "deb:openclonk-data": (
        "Clonk-Movement-Rustle",
        "Hits-Materials-Metal-DullMetalHit",
        "Hits-Materials-Wood-WoodHit",
        "Liquids-Splash",
    ),
    "github:AntumMT/mod-sounds": (
        "sounds_node_step_water",
        "sounds_chalk_write",
        "sounds_scrape",
        "sounds_shears",
    ),
    "github:MultiCraft/repixture": (
        "default_place_node_hard",
        "rp_default_dig_alga",
        "rp_default_place_ingot",
        "rp_paint_brush_fail",
        "rp_paint_bucket_select_color",
        "rp_sounds_dig_dirt",
        "rp_sounds_dig_glass",
        "rp_sounds_dig_sand",
        "rp_sounds_dug_straw",
        "rp_sounds_footstep_coal",
        "rp_sounds_footstep_dirt",
        "rp_sounds_footstep_grass",
        "rp_sounds_footstep_leaves",
        "rp_sounds_footstep_metal",
        "rp_sounds_footstep_sand",
        "rp_sounds_footstep_wood",
        "rp_sounds_place_crystal",
        "rp_sounds_place_fuzzy",
        "rp_sounds_place_planks",
        "rp_sounds_place_plant",
        "rp_sounds_place_sand",
        "rp_sounds_place_straw",
        "rp_sounds_place_swamp_dirt",
        "rp_sounds_scrape_wood",
    ),
    "github:iwenzhou/kenney": (
        "cardPlace",
        "cardSlide",
        "chipLay",
        "cloth",
        "dieThrow",
        "metalPot",
    ),
}
VALIDATION = {
    "deb:openclonk-data": ("Objects-Weapons-Shield-WoodHit",),
    "github:AntumMT/mod-sounds": (
        "sounds_chalk_screech",
        "sounds_node_dug_gravel",
        "sounds_node_step_hard",
    ),
    "github:MultiCraft/repixture": (
        "rp_default_dig_cactus",
        "rp_default_footstep_alga",
        "rp_default_footstep_hay",
        "rp_paint_brush_paint",
        "rp_sounds_dig_coal",
        "rp_sounds_dig_swamp_dirt",
        "rp_sounds_dig_wood",
        "rp_sounds_dug_grass",
        "rp_sounds_dug_metal",
        "rp_sounds_dug_stone",
        "rp_sounds_footstep_gravel",
        "rp_sounds_place_dry_dirt",
        "rp_sounds_place_glass",
        "rp_sounds_place_gravel",
        "rp_sounds_place_metal",
        "rp_sounds_scrape_glass",
    ),
    "github:iwenzhou/kenney": (
        "beltHandle",
        "bookPlace",
        "cardShove",
        "chipsStack",
        "click",
        "drawKnife",
    ),
}
"""Names of families by the source they come from."""

HELD_OUT = {
    f"{source}/{name}": part
    for part, sources in (("test", TEST), ("validation", VALIDATION))
    for source, names in sources.items()
    for name in names
}
